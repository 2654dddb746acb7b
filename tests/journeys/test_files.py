"""Files over real HTTP: refusals that arrive, memory that stays small, and a story from upload to download."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import httpx
import pytest
import yaml

from tests.engine.graphs import document, edge, end, node
from tests.journeys.conftest import Live
from tests.journeys.events import read
from tests.judge import fair
from tests.waiting import whole

MEGABYTE = 1024 * 1024


@pytest.fixture(scope="module")
def reader(live: Live, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An app that reads a document; answers its id."""
    variables = [
        {"variable": "doc", "label": "Doc", "type": "file", "required": True, "allowed_file_types": ["document"]}
    ]
    nodes = [
        node("start", "start", variables=variables),
        node("read", "document-extractor", variable_selector=["start", "doc"]),
        end(text=["read", "text"], doc=["start", "doc"]),
    ]
    graph = document(nodes, [edge("start", "read"), edge("read", "end")])
    path = tmp_path_factory.mktemp("app") / "reader.yml"
    app = {"app": {"mode": "workflow", "name": "Reader"}, "kind": "app", "version": "0.3.0"}
    path.write_text(yaml.safe_dump({**app, "workflow": {"graph": graph["graph"], "features": {}}}))
    return live.import_app(path, live.ada)


def test_a_document_is_uploaded_read_and_fetched_again(live: Live, reader: str) -> None:
    url = f"{live.api}/apps/{reader}"
    upload = fair(
        httpx.post(
            f"{url}/files/upload",
            headers=live.ada.headers,
            files={"file": ("b.html", b"<p>Bees <b>dance</b>", "text/html")},
        )
    ).json()
    inputs = {"doc": {"transfer_method": "local_file", "upload_file_id": upload["id"]}}
    with httpx.stream("POST", f"{url}/run", headers=live.ada.headers, json={"inputs": inputs}) as stream:
        last = read(stream)[-1].data["data"]
    assert last["outputs"]["text"] == "Bees dance"
    found = fair(httpx.get(last["files"][0]["url"]))
    assert (found.content, found.headers["content-disposition"]) == (
        b"<p>Bees <b>dance</b>", "attachment; filename=\"b.html\"; filename*=UTF-8''b.html",
    )  # fmt: skip
    fresh = fair(httpx.get(f"{url}/files/{upload['id']}", headers=live.ada.headers)).json()
    assert httpx.get(fresh["source_url"]).content == found.content
    refused = fair(httpx.post(f"{url}/run", headers=live.bob.headers, json={"inputs": inputs}))
    assert refused.status_code == 404


@pytest.mark.parametrize("chunked", [False, True])
def test_a_file_far_beyond_the_limit_is_refused_with_an_answer_that_arrives(
    live: Live, reader: str, chunked: bool
) -> None:
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\nContent-Type: text/plain\r\n\r\n'

    def body() -> object:
        yield head
        for _ in range(60):
            yield b"x" * MEGABYTE
        yield b"\r\n--b--\r\n"

    content = body() if chunked else b"".join(body())  # type: ignore[call-overload]
    headers = {**live.ada.headers, "Content-Type": "multipart/form-data; boundary=b"}
    url = f"{live.api}/apps/{reader}/files/upload"
    answer = fair(httpx.post(url, headers=headers, content=content))
    assert (answer.status_code, answer.json()["code"]) == (413, "file_too_large")
    unknown = httpx.post(url, headers={**headers, "Authorization": "Bearer x"}, content=b"".join(body()))  # type: ignore[call-overload]
    assert (unknown.status_code, unknown.json()["code"]) == (401, "invalid_token")


def resident(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) * 1024  # type: ignore[index]


def test_a_hundred_uploads_at_once_stay_small_in_memory(live: Live, reader: str) -> None:
    """All are under way at the same moment: 300 MB are on the wire, a fraction of that is in memory."""
    before, peak = resident(live.pid), 0
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\nContent-Type: text/plain\r\n\r\n'
    headers = {**live.ada.headers, "Content-Type": "multipart/form-data; boundary=b"}
    gate = asyncio.Barrier(100)

    async def one(client: httpx.AsyncClient) -> int:
        async def body() -> object:
            nonlocal peak
            yield head
            for place in range(48):
                if place == 46:  # all have sent nearly everything, nobody has finished
                    await whole(gate.wait())
                    peak = max(peak, resident(live.pid))
                yield b"x" * 65536
            yield b"\r\n--b--\r\n"

        url = f"{live.api}/apps/{reader}/files/upload"
        return (await client.post(url, headers=headers, content=body())).status_code

    async def all_at_once() -> list[int]:
        limits = httpx.Limits(max_connections=100)
        async with httpx.AsyncClient(limits=limits) as client:
            return await asyncio.gather(*(one(client) for _ in range(100)))

    assert asyncio.run(all_at_once()) == [201] * 100
    print(f"resident: {before / MEGABYTE:.0f} MB before, {peak / MEGABYTE:.0f} MB with 100 uploads of 3 MB half done")
    assert peak - before < 120 * MEGABYTE
