"""Files in runs: whose they are, what a variable admits, how nodes read and make them, and how events show them."""

from __future__ import annotations

import base64
import http.server
import io
import itertools
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from email import message_from_bytes
from typing import Any, ClassVar

import pytest

from engine.files import service as engine_files
from engine.forms import answering, showing
from engine.models.echo import EchoModel
from store import files as stored
from store import forms
from store.clock import current_ids
from store.refusal import Refusal
from tests.engine.conftest import Bench, make_caller
from tests.engine.forms import answer, ask, token_of, waiting
from tests.engine.graphs import document, edge, end, llm, node, template
from tests.engine.test_easy_modes import easy
from tests.engine.test_human_input import Later, later
from tests.engine.web_server import listening
from tests.waiting import until

__all__ = ["later"]

PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 8
MARK = "__dify__file__"


class _Web(http.server.BaseHTTPRequestHandler):
    seen: ClassVar[list[tuple[str, str, str, bytes]]] = []
    under_way: ClassVar[list[str]] = []
    at_once = 1

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.seen.append(("POST", self.path, self.headers.get("content-type", ""), body))
        self._answer()

    def _answer(self, *, body: bool = True) -> None:
        self.under_way.append(self.path)
        until(lambda: len(self.under_way) >= self.at_once, "another request beside this one")
        self.seen.append((self.command, self.path, "", b""))
        self.send_response(200)
        self.send_header("content-type", "image/png")
        self.send_header("content-length", str(len(PNG)))
        if "named" in self.path:
            self.send_header("content-disposition", 'attachment; filename="cat.png"')
        self.end_headers()
        if body:
            self.wfile.write(PNG)

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def web() -> Iterator[str]:
    """A web server that has one picture, whatever it is asked."""
    _Web.seen, _Web.under_way = [], []
    with listening(_Web) as url:
        yield url


def upload(bench: Bench, app: Any, name: str = "bees.txt", content: bytes = b"Bees dance.", caller: Any = None) -> str:
    taken = engine_files.current().take(
        app, caller or bench.caller, io.BytesIO(content), len(content), name=name, claimed="application/octet-stream"
    )
    return taken.id


def local(file_id: str, **more: Any) -> dict[str, Any]:
    return {"transfer_method": "local_file", "upload_file_id": file_id, **more}


def remote(url: str, **more: Any) -> dict[str, Any]:
    return {"transfer_method": "remote_url", "url": url, **more}


def flow(variables: list[dict[str, Any]], *middle: dict[str, Any], out: dict[str, list[str]], **extra: Any) -> Any:
    """start → the nodes, one after the other → end."""
    nodes = [node("start", "start", variables=variables), *middle, end(**out)]
    edges = [edge(a["id"], b["id"]) for a, b in itertools.pairwise(nodes)]
    return document(nodes, edges, **extra)


def one_file(**more: Any) -> dict[str, Any]:
    return {"variable": "doc", "label": "Doc", "type": "file", "required": True, **more}


PASS = flow([one_file()], out={"doc": ["start", "doc"]})


def refused(bench: Bench, app: Any, **body: Any) -> dict[str, Any]:
    with pytest.raises(Refusal) as caught:
        bench.start(app, body.pop("inputs", {}), **body)
    assert caught.value.code == "invalid_param"
    assert caught.value.details is not None
    return {**caught.value.details[0], "message": caught.value.message}


def test_a_file_is_shown_with_a_link_that_opens(bench: Bench) -> None:
    app = bench.app(PASS)
    file_id = upload(bench, app)
    events = bench.events(bench.start(app, {"doc": local(file_id)}))
    first, last = events[0]["data"], events[-1]["data"]
    (shown,) = last["files"]
    assert shown == last["outputs"]["doc"]
    assert {key: shown[key] for key in ("type", "transfer_method", "filename", "extension", "mime_type", "size")} == {
        "type": "document",
        "transfer_method": "local_file",
        "filename": "bees.txt",
        "extension": ".txt",
        "mime_type": "text/plain",
        "size": 11,
    }
    assert shown["dify_model_identity"] == MARK
    for url in (shown["url"], first["inputs"]["doc"]["url"]):
        path, sign = url.split("?sign=")
        found = engine_files.current().linked(path.rsplit("/", 1)[1], sign)
        assert found is not None
        assert found.id == file_id == shown["related_id"]


def opens(url: str) -> bool:
    path, sign = url.split("?sign=")
    return engine_files.current().linked(path.rsplit("/", 1)[1], sign) is not None


def links(told: Any) -> list[str]:
    return re.findall(r"http://[^ )\"\\]+[?]sign=[\w.-]+", json.dumps(told))


def test_what_a_run_told_long_ago_has_links_that_open_and_only_to_its_owners_files(bench: Bench, later: Later) -> None:
    said = {"variable": "said", "type": "paragraph", "label": "Said"}
    app = bench.app(flow([one_file(), said], out={"doc": ["start", "doc"], "said": ["start", "said"]}))
    theirs = engine_files.current().links.url(upload(bench, app, caller=make_caller("bob@mail.example", "Bob")))
    run = bench.start(app, {"doc": local(upload(bench, app)), "said": f"see {theirs}"})
    first = bench.events(run)
    later.ahead = timedelta(minutes=29)
    assert bench.events(run) == first, "what opens for long stays as it was"
    later.ahead = timedelta(hours=2)
    assert not any(opens(url) for url in links(first))
    for events in (bench.events(run), bench.events(run, None)):
        shown = events[-1]["data"]
        assert opens(shown["outputs"]["doc"]["url"])
        assert shown["files"] == [shown["outputs"]["doc"]]
        assert shown["outputs"]["said"] == f"see {theirs}"
    assert bench.events(run)[:-1] != first[:-1]


def test_a_form_that_waits_longer_than_links_last_shows_its_files(bench: Bench, later: Later) -> None:
    start = node("start", "start", variables=[one_file()])
    comment = {"type": "paragraph", "output_variable_name": "comment", "default": {"type": "variable",
               "selector": ["say", "output"], "value": None}}  # fmt: skip
    asks = ask(content="Read {{#start.doc#}}.", inputs=[comment])
    nodes = [start, template("say", "About {{ doc.url }}", doc=["start", "doc"]), asks, end()]
    app = bench.app(document(nodes, [edge("start", "say"), edge("say", "review"), edge("review", "end", "approve")]))
    run = bench.start(app, {"doc": local(upload(bench, app))})
    token = token_of(bench.events(run))
    later.ahead = timedelta(minutes=59)
    told = showing.shown(answering.open_form(token))
    assert len(links(told)) == 2
    later.ahead = timedelta(minutes=61)
    assert all(opens(url) for url in links(told)), "half of their time is left when they are shown"


def test_unused_uploads_have_a_quota_that_used_ones_leave(bench: Bench, configure: Callable[..., None]) -> None:
    configure(files=_with(quota_bytes=20))
    app = bench.app(PASS)
    first = upload(bench, app)
    with pytest.raises(Refusal) as caught:
        upload(bench, app)
    assert caught.value.code == "file_too_large"
    assert upload(bench, app, caller=make_caller("bob@mail.example", "Bob"))
    bench.events(bench.start(app, {"doc": local(first)}))
    assert upload(bench, app)


def test_a_used_file_is_kept_and_an_unused_one_swept(bench: Bench, configure: Callable[..., None]) -> None:
    configure(files=_with(unused_for=timedelta(0)))
    app = bench.app(PASS)
    gone = upload(bench, app)
    configure(files=_with(unused_for=timedelta(days=1)))
    used = upload(bench, app)
    bench.events(bench.start(app, {"doc": local(used)}))
    assert refused(bench, app, inputs={"doc": local(gone)})["type"] == "file_not_found"
    assert engine_files.current().sweep() == 1
    assert stored.known([used, gone]) == {used}
    assert engine_files.current().sweep() == 0


def test_bytes_that_belong_to_no_file_go_after_an_hour_and_nothing_else_that_lies_there(
    bench: Bench, later: Later
) -> None:
    used = upload(bench, bench.app(PASS))
    folder = engine_files.current().config.folder
    lost, broken = (current_ids().uuid7() for _ in range(2))
    for path in (f"{lost[-2:]}/{lost}", f"{broken[-2:]}/.{broken}.part", "ab/notes.txt"):
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_bytes(b"x")
    assert engine_files.current().sweep() == 0
    later.ahead = timedelta(hours=2)
    assert engine_files.current().sweep() == 2
    assert {path.name for path in folder.rglob("*") if path.is_file()} == {used, "notes.txt"}
    assert engine_files.current().sweep() == 0


def _with(**changes: Any) -> engine_files.FileConfig:
    return replace(engine_files.current().config, **changes)


def test_a_file_that_is_not_ones_own_for_this_app_is_not_found(bench: Bench) -> None:
    app, other = bench.app(PASS), bench.app(PASS)
    stranger = make_caller("bob@mail.example", "Bob")
    for file_id in (
        upload(bench, other),
        upload(bench, app, caller=stranger),
        "0d0f7a36-9d5e-4b53-9f0a-1f4b9b9f2d11",
    ):
        told = refused(bench, app, inputs={"doc": local(file_id)})
        assert told["loc"] == ["body", "inputs", "doc", "upload_file_id"]
        assert told["message"] == "Invalid upload file: not found."


@pytest.mark.parametrize(
    ("limits", "name", "given", "admitted"),
    [
        ({}, "a.txt", None, True),
        ({"allowed_file_types": ["image"]}, "a.png", None, True),
        ({"allowed_file_types": ["image"]}, "a.txt", None, False),
        ({"allowed_file_types": ["image"]}, "a.txt", "image", False),
        ({"allowed_file_types": ["document"]}, "a.bin", "document", True),
        ({"allowed_file_types": ["custom"], "allowed_file_extensions": [".BIN"]}, "a.bin", None, True),
        ({"allowed_file_types": ["custom"], "allowed_file_extensions": ["txt"]}, "a.txt", "custom", True),
        ({"allowed_file_types": ["custom"], "allowed_file_extensions": ["txt"]}, "a.bin", None, False),
        ({"allowed_file_types": ["custom"]}, "a.bin", None, False),
        ({"allowed_file_upload_methods": ["remote_url"]}, "a.txt", None, False),
        ({"allowed_file_upload_methods": ["local_file"]}, "a.txt", None, True),
    ],
)
def test_a_variable_admits_only_its_kinds_extensions_and_methods(
    bench: Bench, limits: dict[str, Any], name: str, given: str | None, admitted: bool
) -> None:
    app = bench.app(flow([one_file(**limits)], out={"doc": ["start", "doc"]}))
    item = local(upload(bench, app, name, PNG if name.endswith("png") else b"x"), **({"type": given} if given else {}))
    if admitted:
        assert bench.events(bench.start(app, {"doc": item}))[-1]["data"]["status"] == "succeeded"
    else:
        assert refused(bench, app, inputs={"doc": item})["loc"][:3] == ["body", "inputs", "doc"]


def test_a_list_takes_no_more_files_than_it_and_the_server_allow(bench: Bench) -> None:
    variable = {"variable": "docs", "type": "file-list", "label": "Docs", "max_length": 20}
    app = bench.app(flow([variable], out={"docs": ["start", "docs"]}))
    files = [local(upload(bench, app, f"{n}.txt")) for n in range(11)]
    assert "maximum limit 10" in refused(bench, app, inputs={"docs": files})["message"]
    last = bench.events(bench.start(app, {"docs": files[:10]}))[-1]["data"]
    assert [file["filename"] for file in last["outputs"]["docs"]] == [f"{n}.txt" for n in range(10)]
    assert len(last["files"]) == 10


def test_attached_files_are_sys_files_where_the_feature_is_on_and_nothing_elsewhere(bench: Bench) -> None:
    feature = {"file_upload": {"enabled": True, "number_limits": 2, "allowed_file_types": ["document"]}}
    on = bench.app(flow([], out={"files": ["sys", "files"]}, features=feature))
    off = bench.app(flow([], out={"files": ["sys", "files"]}))
    item = local(upload(bench, on))
    last = bench.events(bench.start(on, files=[item]))[-1]["data"]
    assert [file["filename"] for file in last["outputs"]["files"]] == ["bees.txt"]
    assert refused(bench, on, files=[item, local("0d0f7a36-9d5e-4b53-9f0a-1f4b9b9f2d11")])["loc"] == [
        "body", "files", 1, "upload_file_id",
    ]  # fmt: skip
    many = refused(bench, on, files=[item] * 3)
    assert (many["loc"], many["message"]) == (["body", "files"], "Number of files exceeds the maximum limit 2")
    assert refused(bench, on, files=[local(upload(bench, on, "a.png", PNG))])["loc"] == ["body", "files", 0]
    assert bench.events(bench.start(off, files=[item, {"transfer_method": "remote_url"}]))[-1]["data"]["outputs"] == {
        "files": []
    }


def test_a_remote_file_is_described_from_its_address_or_by_its_server(
    bench: Bench, configure: Callable[..., None], web: str
) -> None:
    configure(allow_private_addresses=True)
    app = bench.app(PASS)
    plain = bench.events(bench.start(app, {"doc": remote(f"{web}/pics/my%20cat.PNG?x=1")}))[-1]["data"]["outputs"][
        "doc"
    ]
    assert (plain["filename"], plain["type"], plain["extension"]) == ("my cat.PNG", "image", ".png")
    assert plain["url"] == plain["remote_url"] == f"{web}/pics/my%20cat.PNG?x=1"
    assert _Web.seen == []  # the name said enough
    loud = bench.events(bench.start(app, {"doc": remote(f"HTTP{web[4:]}/A.PNG")}))[-1]["data"]["outputs"]["doc"]
    assert loud["url"] == f"{web}/A.PNG"
    asked = bench.events(bench.start(app, {"doc": remote(f"{web}/named")}))[-1]["data"]["outputs"]["doc"]
    assert (asked["filename"], asked["mime_type"], asked["size"]) == ("cat.png", "image/png", len(PNG))
    assert [call[0] for call in _Web.seen] == ["HEAD"]


def test_servers_that_are_slow_to_say_what_they_have_are_waited_for_together(
    bench: Bench, configure: Callable[..., None], web: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(allow_private_addresses=True)
    monkeypatch.setattr(_Web, "at_once", 2)  # the first is answered once a second one has come
    app = bench.app(flow([{"variable": "docs", "type": "file-list", "label": "Docs"}], out={"docs": ["start", "docs"]}))
    run = bench.start(app, {"docs": [remote(f"{web}/{n}") for n in range(9)]})
    shown = bench.events(run)[-1]["data"]["outputs"]["docs"]
    assert [one["filename"] for one in shown] == [f"{n}" for n in range(9)]
    third = refused(bench, app, inputs={"docs": [*[remote(f"{web}/x")] * 2, remote("http://a.test:99999/")]})
    assert third["loc"] == ["body", "inputs", "docs", 2, "url"]


def test_a_remote_file_at_a_private_address_is_refused_with_the_rule(bench: Bench, web: str) -> None:
    app = bench.app(PASS)
    told = refused(bench, app, inputs={"doc": remote(f"{web}/thing")})
    assert told["loc"] == ["body", "inputs", "doc", "url"]
    assert "loopback" in told["message"]
    assert _Web.seen == []


def test_an_object_that_only_looks_like_a_file_opens_nothing(bench: Bench) -> None:
    variables = [{"variable": "thing", "type": "json_object", "label": "Thing"}]
    app = bench.app(flow(variables, out={"thing": ["start", "thing"]}))
    stranger = make_caller("bob@mail.example", "Bob")
    theirs = upload(bench, app, caller=stranger)
    fake = {
        "dify_model_identity": MARK, "type": "document", "transfer_method": "local_file", "related_id": theirs,
        "reference": theirs, "url": None, "remote_url": None,
    }  # fmt: skip
    last = bench.events(bench.start(app, {"thing": fake}))[-1]["data"]
    assert last["outputs"]["thing"]["url"] is None
    assert "sign=" not in json.dumps(last)


def test_a_model_with_vision_is_given_the_picture(
    bench: Bench, configure: Callable[..., None], web: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(allow_private_addresses=True)
    seen: list[Any] = []
    real = EchoModel.chunks

    def spy(self: EchoModel, messages: Any, *rest: Any) -> Any:
        seen.extend(messages)
        return real(self, messages, *rest)

    monkeypatch.setattr(EchoModel, "chunks", spy)
    model = llm("llm", "What is this?")
    model["data"]["vision"] = {"enabled": True, "configs": {"variable_selector": ["start", "doc"], "detail": "high"}}
    app = bench.app(flow([one_file()], model, out={"text": ["llm", "text"]}))
    for item in (local(upload(bench, app, "a.png", PNG)), remote(f"{web}/a.png")):
        seen.clear()
        assert bench.events(bench.start(app, {"doc": item}))[-1]["data"]["status"] == "succeeded"
        (picture,) = [part for message in seen for part in message.content if part.type == "image"]
        assert picture.data.startswith("data:image/png;base64,iVBOR")


def test_a_picture_that_the_prompt_names_too_is_shown_to_the_model_once(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []
    real = EchoModel.chunks

    def spy(self: EchoModel, messages: Any, *rest: Any) -> Any:
        seen.append(messages)
        return real(self, messages, *rest)

    monkeypatch.setattr(EchoModel, "chunks", spy)
    files = {"variable_selector": ["sys", "files"], "detail": "high"}
    remembers = {"query_prompt_template": "{{#sys.query#}}\n\n{{#sys.files#}}", "window": {"enabled": False, "size": 1}}
    feature = {"file_upload": {"enabled": True, "allowed_file_types": ["image"], "number_limits": 3}}
    model = llm("llm", "Look.")
    model["data"] |= {"vision": {"enabled": True, "configs": files}, "memory": remembers}
    app = bench.app(
        document(
            [node("start", "start", variables=[]), model, node("answer", "answer", answer="{{#llm.text#}}")],
            [edge("start", "llm"), edge("llm", "answer")], "advanced-chat", features=feature,
        )
    )  # fmt: skip
    given = [local(upload(bench, app, "a.png", PNG)), local(upload(bench, app, "b.png", PNG + b"."))]
    last = bench.events(bench.start(app, query="Which?", files=given))[-1]
    assert last["data"]["status"] == "succeeded", last
    (messages,) = seen
    listed = [message.content for message in messages if isinstance(message.content, list)]
    parts = [part for content in listed for part in content if part.type == "image"]
    assert len(parts) == len({part.data for part in parts}) == 2
    assert any("Which?" in str(message.content) for message in messages)


def test_a_request_sends_files_and_keeps_the_file_it_gets(
    bench: Bench, configure: Callable[..., None], web: str
) -> None:
    configure(allow_private_addresses=True)
    body = {
        "type": "form-data",
        "data": [{"key": "upload", "type": "file", "file": ["start", "doc"], "value": ""}],
    }
    http_node = node(
        "http", "http-request", method="post", url=f"{web}/form", authorization={"type": "no-auth"},
        headers="", params="", body=body, timeout={},
    )  # fmt: skip
    binary = node(
        "raw", "http-request", method="post", url=f"{web}/raw", authorization={"type": "no-auth"},
        headers="", params="", timeout={},
        body={"type": "binary", "data": [{"key": "", "type": "file", "file": ["start", "doc"], "value": ""}]},
    )  # fmt: skip
    app = bench.app(flow([one_file()], http_node, binary, out={"files": ["http", "files"], "body": ["http", "body"]}))
    last = bench.events(bench.start(app, {"doc": local(upload(bench, app))}))[-1]["data"]
    assert last["status"] == "succeeded", last["error"]
    posts = {path: (kind, sent) for method, path, kind, sent in _Web.seen if sent}
    form = message_from_bytes(b"Content-Type: " + posts["/form"][0].encode() + b"\r\n\r\n" + posts["/form"][1])
    (part,) = form.get_payload()
    assert (part.get_filename(), part.get_payload(decode=True)) == ("bees.txt", b"Bees dance.")
    assert posts["/raw"][1] == b"Bees dance."
    (made,) = last["files"]
    assert (made["transfer_method"], made["type"], made["size"]) == ("tool_file", "image", len(PNG))
    assert made["filename"] == "form.png"
    kept = stored.visible(bench.caller, app.id, made["related_id"])
    assert kept is not None
    assert b"".join(engine_files.current().pieces(kept)) == PNG
    # What a run made may be sent back into the next one, as it stands in the event.
    again = bench.events(bench.start(app, {"doc": {**made, "tool_file_id": made["related_id"]}}))[-1]["data"]
    assert again["status"] == "succeeded"


def test_a_list_of_files_is_filtered_and_its_members_read(bench: Bench) -> None:
    chosen = node(
        "pick", "list-operator", variable=["start", "docs"],
        filter_by={"enabled": True, "conditions": [
            {"key": "extension", "comparison_operator": "contains", "value": "txt"}]},
        order_by={"enabled": False, "key": "", "value": "asc"}, limit={"enabled": False, "size": 10},
    )  # fmt: skip
    text = template("say", "{{ f.filename }} {{ f.size }} at {{ f.url }}", f=["pick", "first_record"])
    variable = {"variable": "docs", "type": "file-list", "label": "Docs"}
    out = {"first": ["pick", "first_record"], "text": ["say", "output"], "name": ["pick", "first_record", "name"]}
    app = bench.app(flow([variable], chosen, text, out=out))
    files = [local(upload(bench, app, name, PNG if "png" in name else b"x")) for name in ("a.png", "b.txt")]
    last = bench.events(bench.start(app, {"docs": files}))[-1]["data"]
    assert last["status"] == "succeeded", last["error"]
    assert last["outputs"]["first"]["filename"] == "b.txt"
    text, _, link = last["outputs"]["text"].partition(" at ")
    assert text == "b.txt 1"
    assert "?sign=" in link
    assert last["outputs"]["name"] == "b.txt"


def test_an_answer_links_its_files_and_message_end_lists_them(bench: Bench) -> None:
    nodes = [node("start", "start", variables=[one_file()]), node("answer", "answer", answer="See {{#start.doc#}}")]
    app = bench.app(document(nodes, [edge("start", "answer")], "advanced-chat"))
    file_id = upload(bench, app, "a.png", PNG)
    events = bench.events(bench.start(app, {"doc": local(file_id)}))
    text = "".join(event["answer"] for event in events if event["event"] == "message")
    assert text.startswith("See ![a.png](http://")
    (shown,) = next(event for event in events if event["event"] == "message_end")["files"]
    assert shown["related_id"] == file_id
    assert shown["url"].split("?")[0] in text


def test_a_chat_shows_its_model_the_picture_that_was_attached(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    real = EchoModel.chunks

    def spy(self: EchoModel, messages: Any, *rest: Any) -> Any:
        seen.extend(messages)
        return real(self, messages, *rest)

    monkeypatch.setattr(EchoModel, "chunks", spy)
    model = {"provider": "openai", "name": "gpt-4o", "mode": "chat", "completion_params": {}}
    image = {"enabled": True, "number_limits": 1, "transfer_methods": ["local_file"]}
    config = {"model": model, "pre_prompt": "", "user_input_form": [], "file_upload": {"image": image}}
    app = bench.app({"mode": "chat", "model_config": config})
    picture = local(upload(bench, app, "a.png", PNG))
    events = bench.events(bench.start(app, query="What is this?", files=[picture]))
    assert [part.type for message in seen for part in message.content] == ["image", "text"]
    (attached,) = events[-1]["files"]
    assert attached["upload_file_id"] == picture["upload_file_id"]
    assert "?sign=" in attached["url"]
    assert refused(bench, app, query="x", files=[picture] * 2)["loc"] == ["body", "files"]
    assert refused(bench, app, query="x", files=[local(upload(bench, app))])["loc"][:3] == ["body", "files", 0]
    assert bench.events(bench.start(app, query="And now?"))[-1]["files"] is None


def asking(*inputs: dict[str, Any]) -> Any:
    """start (a file) → a person → a document read → end."""
    nodes = [
        node("start", "start", variables=[one_file(required=False)]),
        ask(inputs=list(inputs)),
        node("read", "document-extractor", variable_selector=["review", "scan"] if inputs else ["start", "doc"]),
        end(text=["read", "text"], file=["start", "doc"], scan=["review", "scan"], attached=["sys", "files"]),
    ]
    edges = [edge("start", "review"), edge("review", "read", "approve"), edge("read", "end")]
    return document(nodes, edges)


def test_a_run_that_waits_keeps_its_files_for_the_process_that_goes_on(
    bench: Bench, configure: Callable[..., None]
) -> None:
    configure(secret_key="the same in both")
    app = bench.app({**asking(), "features": {"file_upload": {"enabled": True, "number_limits": 3}}})
    attached = local(upload(bench, app, "b.txt", b"x"))
    run = bench.start(app, {"doc": local(upload(bench, app))}, files=[attached])
    token = token_of(bench.events(run))
    configure(secret_key="the same in both")  # another process: nothing in memory is left
    answer(token)
    last = bench.events(run)[-1]["data"]
    assert last["outputs"]["text"] == "Bees dance."
    assert "?sign=" in last["outputs"]["file"]["url"]
    assert [file["filename"] for file in last["outputs"]["attached"]] == ["b.txt"]


SCAN = {"type": "file", "output_variable_name": "scan", "allowed_file_types": ["document"]}


def test_a_file_in_a_forms_answer_is_the_owners_and_read_by_later_nodes(bench: Bench) -> None:
    app = bench.app(asking(SCAN))
    run = bench.start(app)
    token = token_of(bench.events(run))
    theirs = upload(bench, app, caller=make_caller("bob@mail.example", "Bob"))
    for wrong in (theirs, upload(bench, app, "a.png", PNG), upload(bench, bench.app(asking(SCAN)))):
        with pytest.raises(Refusal) as caught:
            answer(token, scan=local(wrong))
        assert caught.value.code == "invalid_form_data"
        assert caught.value.message.startswith("Invalid value for file input 'scan': ")
    assert [form.answer for form in waiting(run.id)] == [None]
    answer(token, scan=local(upload(bench, app)))
    events = bench.events(run)
    assert events[-1]["data"]["outputs"]["text"] == "Bees dance."
    filled = next(event["data"] for event in events if event["event"] == "human_input_form_filled")
    assert "?sign=" in filled["submitted_data"]["scan"]["url"]


def test_whoever_answers_gives_an_upload_of_their_own_and_of_nobody_else(bench: Bench) -> None:
    app = bench.app(asking(SCAN))
    run = bench.start(app)
    token = token_of(bench.events(run))
    bob = make_caller("bob@mail.example", "Bob")
    adas, bobs = upload(bench, app), upload(bench, app, caller=bob)

    def give(file: str) -> None:
        body = {"action": "approve", "inputs": {"scan": local(file)}}
        answering.submit(token, body, by=bob.subject, giver=bob)

    with pytest.raises(Refusal, match="not found") as caught:
        give(adas)
    assert caught.value.status == 400
    give(bobs)
    assert bench.events(run)[-1]["data"]["outputs"]["text"] == "Bees dance."
    assert stored.visible(bench.caller, app.id, bobs) is not None
    assert stored.visible(bob, app.id, bobs) is None


def test_an_upload_that_a_run_uses_already_is_not_given_away_by_a_form(bench: Bench) -> None:
    app = bench.app(asking(SCAN))
    run = bench.start(app)
    token = token_of(bench.events(run))
    bob = make_caller("bob@mail.example", "Bob")
    used = upload(bench, app, caller=bob)
    assert stored.keep(bob, app.id, [used])
    with pytest.raises(Refusal, match="in use") as caught:
        answering.submit(token, {"action": "approve", "inputs": {"scan": local(used)}}, by=bob.subject, giver=bob)
    assert caught.value.code == "invalid_form_data"
    assert [form.status for form in waiting(run.id)] == ["waiting"], "what was begun is undone"
    assert stored.visible(bob, app.id, used) is not None


def test_an_answer_that_comes_too_late_leaves_its_file_as_it_was(bench: Bench) -> None:
    app = bench.app(asking(SCAN))
    run = bench.start(app)
    token = token_of(bench.events(run))
    late = upload(bench, app)
    real = forms.answer
    with pytest.MonkeyPatch.context() as patch:

        def first(*args: Any) -> Any:
            patch.undo()
            answer(token, scan=local(upload(bench, app)))
            return real(*args)

        patch.setattr(forms, "answer", first)
        with pytest.raises(Refusal) as caught:
            answer(token, scan=local(late))
    assert caught.value.code == "human_input_form_submitted"
    assert stored.unused_bytes(bench.caller, timedelta(1)) == len("Bees dance."), "the late one, and no other"


def test_a_conversation_remembers_files_and_their_links_stay_fresh(bench: Bench) -> None:
    variable = {"name": "kept", "value_type": "array[file]", "value": [], "id": "1", "description": ""}
    docs = {"variable": "docs", "type": "file-list", "label": "Docs"}
    has = {"variable_selector": ["start", "docs"], "comparison_operator": "not empty", "value": ""}
    cases = [{"case_id": "true", "logical_operator": "and", "conditions": [has]}]
    nodes = [
        node("start", "start", variables=[docs]),
        node("given", "if-else", cases=cases),
        node("keep", "assigner", assigned_variable_selector=["conversation", "kept"], write_mode="over-write",
             input_variable_selector=["start", "docs"]),
        node("read", "document-extractor", variable_selector=["conversation", "kept"]),
        node("said", "answer", answer="{{#read.text#}} {{#conversation.kept#}}"),
    ]  # fmt: skip
    edges = [
        edge("start", "given"), edge("given", "keep", "true"), edge("keep", "read"),
        edge("given", "read", "false"), edge("read", "said"),
    ]  # fmt: skip
    app = bench.app(document(nodes, edges, "advanced-chat", conversation_variables=[variable]))
    first = bench.start(app, {"docs": [local(upload(bench, app, "a.txt", b"one"))]})
    for events in (
        bench.events(first),
        bench.events(bench.start(app, {"docs": []}, conversation_id=first.conversation_id)),
    ):
        assert events[-1]["data"]["error"] is None
        text = "".join(event["answer"] for event in events if event["event"] == "message")
        assert text.startswith("- one [a.txt](http")
        assert text.count("?sign=") == 1


def test_each_file_of_a_list_is_read_in_an_iteration(bench: Bench) -> None:
    inner = {"iteration_id": "each"}
    nodes = [
        node("start", "start", variables=[{"variable": "docs", "type": "file-list", "label": "Docs"}]),
        node("each", "iteration", iterator_selector=["start", "docs"], output_selector=["read", "text"],
             start_node_id="eachstart", output_type="array[string]"),
        node("eachstart", "iteration-start", "each", **inner),
        node("read", "document-extractor", "each", variable_selector=["each", "item"], **inner),
        end(texts=["each", "output"]),
    ]  # fmt: skip
    edges = [edge("start", "each"), edge("eachstart", "read"), edge("each", "end")]
    app = bench.app(document(nodes, edges))
    files = [local(upload(bench, app, f"{word}.txt", word.encode())) for word in ("one", "two")]
    events = bench.events(bench.start(app, {"docs": files}))
    assert events[-1]["data"]["outputs"] == {"texts": ["one", "two"]}
    started = next(event["data"] for event in events if event["event"] == "iteration_started")
    assert [("?sign=" in file["url"]) for file in started["inputs"]["iterator_selector"]] == [True, True]


def test_a_picture_that_a_model_makes_is_kept_and_linked(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    from graphon.model_runtime.entities.message_entities import ImagePromptMessageContent

    real = EchoModel.chunks
    picture = ImagePromptMessageContent(
        format="png", mime_type="image/png", base64_data=base64.b64encode(PNG).decode(), url="", filename=""
    )

    def paint(self: EchoModel, messages: Any, *rest: Any) -> Any:
        for piece in real(self, messages, *rest):
            if piece.delta.index == 0:
                piece.delta.message.content = [picture]
            yield piece

    monkeypatch.setattr(EchoModel, "chunks", paint)
    app = bench.app(flow([], llm("llm", "Paint."), out={"text": ["llm", "text"], "files": ["llm", "files"]}))
    last = bench.events(bench.start(app))[-1]["data"]
    assert last["status"] == "succeeded", last["error"]
    (made,) = last["files"]
    assert (made["type"], made["transfer_method"], made["size"]) == ("image", "tool_file", len(PNG))
    kept = stored.visible(bench.caller, app.id, made["related_id"])
    assert kept is not None
    assert b"".join(engine_files.current().pieces(kept)) == PNG
    assert "![" in last["outputs"]["text"]
    assert "?sign=" in last["outputs"]["text"]


UPLOADS = {"enabled": True, "allowed_file_types": ["image", "document"], "number_limits": 9}


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[list[tuple[str, str, int]]]:
    """Every prompt that the model is given: each message's role, text, and how many files."""
    seen: list[list[tuple[str, str, int]]] = []
    real = EchoModel.chunks

    def chunks(self: Any, messages: Any, *rest: Any) -> Any:
        parts = [message.content if isinstance(message.content, list) else [] for message in messages]
        count = [sum(part.type != "text" for part in one) for one in parts]
        texts = [(message.role.value, message.get_text_content()) for message in messages]
        seen.append([(*text, number) for text, number in zip(texts, count, strict=True)])
        return real(self, messages, *rest)

    monkeypatch.setattr(EchoModel, "chunks", chunks)
    return seen


def pictures(bench: Bench, app: Any, names: str) -> list[dict[str, Any]]:
    return [local(upload(bench, app, f"{name}.png", PNG + name.encode())) for name in names]


@pytest.mark.parametrize("mode", ["chat", "agent-chat", "advanced-chat"])
def test_a_model_that_sees_is_shown_the_pictures_of_earlier_questions_too(
    bench: Bench, shown: list[list[tuple[str, str, int]]], mode: str
) -> None:
    app = bench.app(easy(mode, file_upload=UPLOADS) if mode != "advanced-chat" else seeing())
    given = pictures(bench, app, "ab")
    run = bench.start(app, query="one", files=given)
    bench.events(run)
    for query in ("two", "three"):
        files = [local(upload(bench, app))] if query == "two" else []
        bench.events(bench.start(app, query=query, files=files, conversation_id=run.conversation_id))
        # One that is gone is no reason to answer nothing.
        stored.remove([given[0]["upload_file_id"]])
    # The echo model has no eye for documents.
    assert [[(text, files) for role, text, files in prompt if role == "user"] for prompt in shown] == [
        [("one", 2)],
        [("one", 2), ("two", 0)],
        [("one", 1), ("two", 0), ("three", 0)],
    ]


def seeing() -> dict[str, Any]:
    model = llm("llm", "Look.")
    model["data"]["prompt_template"] = []
    model["data"]["vision"] = {"enabled": True, "configs": {"variable_selector": ["sys", "files"], "detail": "low"}}
    model["data"]["memory"] = {"window": {"enabled": False, "size": 9}, "query_prompt_template": "{{#sys.query#}}"}
    nodes = [node("start", "start", variables=[]), model, node("answer", "answer", answer="{{#llm.text#}}")]
    made = document(nodes, [edge("start", "llm"), edge("llm", "answer")], "advanced-chat")
    return {**made, "features": {"file_upload": UPLOADS}}


def test_a_model_that_sees_nothing_is_told_the_words_of_earlier_questions(
    bench: Bench, shown: list[list[tuple[str, str, int]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.models.base.BaseModelAdapter.features", ())
    app = bench.app(easy("chat", file_upload=UPLOADS))
    run = bench.start(app, query="one", files=[local(upload(bench, app, "a.png", PNG))])
    bench.events(run)
    bench.events(bench.start(app, query="two", conversation_id=run.conversation_id))
    assert [files for prompt in shown for _, _, files in prompt] == [0, 0, 0, 0]


def test_pictures_of_earlier_questions_take_their_part_of_the_context(
    bench: Bench, shown: list[list[tuple[str, str, int]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.models.base.BaseModelAdapter.context_tokens", 5000)
    app = bench.app(easy("chat", file_upload=UPLOADS))
    run = bench.start(app, query="one", files=pictures(bench, app, "abc"))
    bench.events(run)
    files = pictures(bench, app, "de")
    bench.events(bench.start(app, query="two", files=files, conversation_id=run.conversation_id))
    bench.events(bench.start(app, query="three", conversation_id=run.conversation_id))
    assert [[(text, files) for role, text, files in prompt if role == "user"] for prompt in shown[1:]] == [
        [("one", 3), ("two", 2)],
        [("two", 2), ("three", 0)],
    ]
