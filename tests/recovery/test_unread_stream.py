"""A client that takes nothing of its stream is cut off; its run goes on, and so does the client when it comes again."""

from __future__ import annotations

import re
import select
import socket
from urllib.parse import urlsplit

from tests.engine.graphs import chat_document
from tests.recovery.conftest import MakeSite
from tests.waiting import HANG, until

PIECES = 15_000  # more than all buffers on the way hold
FRAME = re.compile(rb"id: (\d+)\ndata: [^\n]*\n\n")


def test_a_client_that_does_not_read_is_cut_off_and_continues_where_it_was(site: MakeSite) -> None:
    here = site(DIFYSPEC_SEND_TIMEOUT_SECONDS="1")
    server = here.server()
    server.start()
    app, address = here.add(chat_document(chunks=PIECES)), urlsplit(server.base)
    body = b'{"inputs": {}, "query": "go"}'
    head = (
        f"POST /openapi/v1/apps/{app}/run HTTP/1.1\r\nHost: {address.netloc}\r\n"
        f"Authorization: Bearer {here.ada.token}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    with socket.socket() as slow:
        slow.settimeout(HANG)
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.connect((address.hostname or "", address.port or 0))
        slow.sendall(head.encode() + body)
        told = b""
        while not FRAME.search(told):
            told += slow.recv(512)
        ended = select.poll()
        ended.register(slow, select.POLLRDHUP)
        until(lambda: any(what & (select.POLLHUP | select.POLLERR) for _, what in ended.poll(0)), "the end of it")
    task = told.partition(b'"task_id":"')[2].partition(b'"')[0].decode()
    last = FRAME.findall(told)[-1].decode()
    rest = here.attach(server, app, task, last)
    assert [event.id for event in rest] == [str(number) for number in range(int(last) + 1, int(rest[-1].id) + 1)]
    assert rest[-1].data["data"]["status"] == "succeeded"
    assert sum(event.data["event"] == "message" for event in rest) == PIECES
