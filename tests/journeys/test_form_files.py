"""Forms that ask for files, over real HTTP: from the event to the page, and on with what was sent there."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

import httpx
import pytest
import yaml

from tests.engine.forms import ask
from tests.engine.graphs import document, edge, end, node
from tests.journeys.conftest import Live
from tests.journeys.events import read
from tests.judge import fair

MEGABYTE = 1024 * 1024


@pytest.fixture(scope="module")
def asking(live: Live, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An app that asks for a document and reads it; answers its id."""
    field = {"type": "file", "output_variable_name": "paper", "allowed_file_types": ["document"]}
    nodes = [
        node("start", "start", variables=[]),
        ask(inputs=[field]),
        node("read", "document-extractor", variable_selector=["review", "paper"]),
        end(text=["read", "text"]),
    ]
    graph = document(nodes, [edge("start", "review"), edge("review", "read", "approve"), edge("read", "end")])
    path = tmp_path_factory.mktemp("app") / "asking.yml"
    app = {"app": {"mode": "workflow", "name": "Asking"}, "kind": "app", "version": "0.3.0"}
    path.write_text(yaml.safe_dump({**app, "workflow": {"graph": graph["graph"], "features": {}}}))
    return live.import_app(path, live.ada)


def waiting(live: Live, app: str) -> tuple[str, str]:
    """Start a run; its id, and the address of the form that it waits for."""
    url = f"{live.api}/apps/{app}/run"
    with httpx.stream("POST", url, headers=live.ada.headers, json={"inputs": {}}) as stream:
        data = next(one.data for one in read(stream) if one.data["event"] == "human_input_required")
    return data["workflow_run_id"], data["data"]["form_url"]


def send(live: Live, url: str, content: bytes) -> httpx.Response:
    """Answer a form as a browser does that nobody has signed in with."""
    headers = {"Origin": live.base, "Sec-Fetch-Site": "same-origin"}
    files = {"file.paper": ("bees.txt", content, "text/plain")}
    return httpx.post(url, data={"action": "approve"}, files=files, headers=headers)


def test_a_stranger_with_the_link_sends_a_file_and_the_run_goes_on_with_it(live: Live, asking: str) -> None:
    run, url = waiting(live, asking)
    assert httpx.get(url).status_code == 200
    assert send(live, url, b"Bees dance." * 150_000).status_code == 200
    events = f"{live.api}/apps/{asking}/tasks/{run}/events?continue_on_pause=true"
    with httpx.stream("GET", events, headers=live.ada.headers) as stream:
        last = read(stream)[-1].data["data"]
    assert last["status"] == "succeeded"
    assert last["outputs"]["text"].startswith("Bees dance.Bees")
    again = send(live, url, b"x" * 5 * MEGABYTE)
    assert again.status_code == 412
    assert "has been answered" in again.text


def test_what_is_far_too_much_is_refused_in_a_page_for_people(live: Live, asking: str) -> None:
    _, url = waiting(live, asking)
    for address in (url, f"{live.base}/form/{'x' * 43}"):
        answer = send(live, address, b"x" * 17 * MEGABYTE)
        assert (answer.status_code, answer.headers["content-type"]) == (413, "text/html; charset=utf-8")
        assert "That was too much at once" in answer.text
    assert httpx.get(url).status_code == 200, "it can still be answered"


def test_slow_senders_do_not_keep_others_from_the_pages(live: Live, asking: str) -> None:
    _, url = waiting(live, asking)
    at = urlsplit(url)
    head = (
        f"POST {at.path} HTTP/1.1\r\nHost: {at.netloc}\r\nOrigin: {live.base}\r\nContent-Length: 100000\r\n"
        "Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\n"
    ).encode()
    slow = []
    try:
        for _ in range(20):
            slow.append(socket.create_connection((str(at.hostname), at.port or 80)))
            slow[-1].sendall(head)
        assert httpx.get(url).status_code == 200
    finally:
        for one in slow:
            one.close()
    assert send(live, url, b"Bees").status_code == 200


def test_the_form_is_read_over_the_api_too_and_takes_an_upload_by_its_id(live: Live, asking: str) -> None:
    run, url = waiting(live, asking)
    form = f"{live.api}/apps/{asking}/form/human_input/{url.rpartition('/')[2]}"
    assert fair(httpx.get(form, headers=live.ada.headers)).json()["inputs"][0]["type"] == "file"
    upload = f"{live.api}/apps/{asking}/files/upload"
    file = {"file": ("a.txt", b"Honey.", "text/plain")}
    taken = fair(httpx.post(upload, headers=live.ada.headers, files=file)).json()
    other = "0198e8a0-0000-7000-8000-000000000000"
    for upload_id, status in ((other, 400), (taken["id"], 200), (taken["id"], 412)):
        inputs = {"paper": {"transfer_method": "local_file", "upload_file_id": upload_id}}
        body = {"action": "approve", "inputs": inputs}
        assert fair(httpx.post(form, headers=live.ada.headers, json=body)).status_code == status
    events = f"{live.api}/apps/{asking}/tasks/{run}/events?continue_on_pause=true"
    with httpx.stream("GET", events, headers=live.ada.headers) as stream:
        assert read(stream)[-1].data["data"]["outputs"]["text"] == "Honey."
