"""Starting and following runs."""

from __future__ import annotations

import asyncio
import gc
import json
import subprocess
import sys
import uuid
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from httpx_sse import EventSource

from engine import runs, stream
from engine.events.log import EventLog
from store import apps, conversations, leases, workspaces
from store import events as stored_events
from store import runs as rows
from store.refusal import Refusal
from tests.engine.conftest import Bench, make_caller
from tests.engine.graphs import chain_document, chat_document, document, edge, node, template
from tests.waiting import HANG


def refusal(bench: Any, app: Any, inputs: dict[str, Any] | None = None, **body: Any) -> Refusal:
    with pytest.raises(Refusal) as caught:
        runs.start(app, apps.version(app.id, None), bench.caller, {"inputs": inputs or {}, **body})
    return caught.value


def hello() -> dict[str, Any]:
    return chain_document(template("t", "hello"))


# Before the stream


@pytest.mark.parametrize("query", [None, "", " \t", "\x00"])
def test_a_chat_needs_a_query(bench: Any, query: str | None) -> None:
    found = refusal(bench, bench.app(chat_document()), query=query)
    assert (found.code, found.message) == ("invalid_param", "query_required_for_chat")


@pytest.mark.parametrize("query", ["", "hi"])
def test_a_workflow_takes_no_query(bench: Any, query: str) -> None:
    found = refusal(bench, bench.app(hello()), query=query)
    assert (found.code, found.message) == ("invalid_param", "query_not_supported_for_workflow")


def test_an_app_that_was_never_published_is_unavailable(bench: Any) -> None:
    found = refusal(bench, bench.app(hello(), publish=False))
    assert (found.code, found.status) == ("app_unavailable", 400)


def test_a_workflow_id_must_name_a_published_version_of_this_app(bench: Any) -> None:
    app, other = bench.app(hello()), bench.app(hello())
    unknown = str(uuid.uuid4())
    found = refusal(bench, app, workflow_id=unknown)
    assert (found.code, found.message) == ("not_found", f"Workflow not found with id: {unknown}")
    assert refusal(bench, app, workflow_id=other.published_id).code == "not_found"
    malformed = refusal(bench, app, workflow_id="latest")
    assert malformed.code == "bad_request"
    assert malformed.message.startswith("Invalid workflow_id format: 'latest'.")
    draft = apps.draft(app.id)
    assert draft is not None
    assert refusal(bench, app, workflow_id=draft.id).code == "bad_request"


def test_a_pinned_version_runs_although_a_newer_one_is_published(bench: Any) -> None:
    from store import app_changes

    app = bench.app(hello())
    app_changes.save_draft(app.id, definition=chain_document(template("t", "newer")), source="-")
    app_changes.publish(app.id)
    old = bench.events(bench.start(app, workflow_id=app.published_id))
    new = bench.events(bench.start(apps.for_operator_get(app.id)))
    assert [events[-1]["data"]["outputs"]["result"] for events in (old, new)] == ["hello", "newer"]
    assert old[0]["data"]["workflow_id"] == app.published_id


def test_inputs_are_checked_before_anything_is_stored(bench: Any) -> None:
    definition = hello()
    definition["graph"]["nodes"][0]["data"]["variables"] = [
        {"variable": "name", "label": "Name", "type": "text-input", "required": True}
    ]
    found = refusal(bench, bench.app(definition))
    assert (found.code, found.message) == ("invalid_param", "name is required in input form")
    assert leases.workers() == set()


# Conversations


def test_a_conversation_is_continued_with_its_variables_and_count(bench: Any) -> None:
    variable = {"id": "v", "name": "seen", "value_type": "string", "value": "nothing"}
    nodes = [
        node("start", "start", variables=[]),
        node("before", "template-transform", template="{{ was }}", variables=[
            {"variable": "was", "value_selector": ["conversation", "seen"]}
        ]),
        node("keep", "assigner", version="2", items=[{
            "variable_selector": ["conversation", "seen"], "input_type": "variable",
            "operation": "over-write", "value": ["sys", "query"],
        }]),
        node("answer", "answer", answer="{{#before.output#}} > {{#conversation.seen#}}"),
    ]  # fmt: skip
    edges = [edge("start", "before"), edge("before", "keep"), edge("keep", "answer")]
    app = bench.app(document(nodes, edges, "advanced-chat", conversation_variables=[variable]))

    first = bench.start(app, query="one")
    one = bench.events(first)
    second = bench.start(app, query="two", conversation_id=first.conversation_id)
    two = bench.events(second)

    assert one[-1]["data"]["outputs"]["answer"] == "nothing > one"
    assert two[-1]["data"]["outputs"]["answer"] == "one > two"
    assert two[0]["conversation_id"] == one[0]["conversation_id"]
    assert two[0]["message_id"] != one[0]["message_id"]
    assert [e[0]["data"]["inputs"]["sys.dialogue_count"] for e in (one, two)] == [1, 2]
    assert conversations.variables(first.conversation_id) == {"seen": "two"}
    assert [m.answer for m in conversations.history(first.conversation_id)] == ["nothing > one", "one > two"]


def test_a_conversation_of_somebody_else_is_not_found(bench: Any) -> None:
    app = bench.app(chat_document())
    run = bench.start(app)
    stranger = Bench(make_caller("eve@mail.example", "Eve"), workspaces.create("Eve's", bench.caller.account_id).id)
    found = refusal(stranger, app, query="hi", conversation_id=run.conversation_id)
    assert (found.code, found.message) == ("not_found", "Conversation Not Exists.")
    assert refusal(bench, app, query="hi", conversation_id=str(uuid.uuid4())).code == "not_found"


def test_a_model_with_memory_is_given_the_earlier_turns(bench: Any) -> None:
    definition = chat_document()
    model = next(n for n in definition["graph"]["nodes"] if n["id"] == "llm")["data"]
    model["memory"] = {"window": {"enabled": False, "size": 10}, "query_prompt_template": "{{#sys.query#}}"}
    app = bench.app(definition)
    first = bench.start(app, query="one")
    one = bench.events(first)
    two = bench.events(bench.start(app, query="one", conversation_id=first.conversation_id))
    prompt = [events[-2]["metadata"]["usage"]["prompt_tokens"] for events in (one, two)]
    assert prompt[1] > prompt[0]


# Following


def test_every_event_is_stored_under_the_number_it_was_sent_with(bench: Any) -> None:
    run = bench.start(bench.app(chat_document(chunks=300)))
    live = bench.numbered(run)
    kept = stored_events.read(run.id, 0, 10_000)
    assert [(seq, json.loads(payload)) for seq, payload in kept] == live
    assert [seq for seq, _ in live] == list(range(1, len(live) + 1))
    assert bench.stored(run).status == "succeeded"


def test_a_reader_cut_at_any_event_continues_exactly_after_it(bench: Any) -> None:
    run = bench.start(bench.app(chat_document(chunks=20, delay_ms=5)))
    whole = bench.numbered(run)
    for cut in range(len(whole) + 1):
        assert whole[:cut] + bench.numbered(run, after=cut) == whole


def test_a_reader_that_comes_late_to_a_live_run_misses_nothing(bench: Any, soon: Callable[..., Any]) -> None:
    run = bench.start(bench.app(chat_document(chunks=20, delay_ms=50)))
    soon(lambda: stored_events.last_seq(run.id) >= 5)
    late, early = bench.numbered(run, after=None), bench.numbered(run, after=0)
    assert late == early


def test_a_finished_run_without_a_position_tells_how_it_ended(bench: Any) -> None:
    workflow = bench.start(bench.app(hello()))
    whole = bench.numbered(workflow)
    assert bench.numbered(workflow, after=None) == whole[-1:]

    chat = bench.start(bench.app(chat_document()), query="Hi Bee")
    everything = bench.numbered(chat)
    ending = bench.numbered(chat, after=None)
    assert [event["event"] for _, event in ending] == ["message", "message_end", "workflow_finished"]
    assert ending[0][1]["answer"] == "echo: Hi Bee"
    assert ending[1:] == everything[-2:]
    assert ending[0][0] == everything[-2][0] - 1
    assert bench.numbered(chat, after=None, snapshot=True) == everything


def test_a_run_goes_on_when_its_reader_leaves(bench: Any) -> None:
    run = bench.start(bench.app(chat_document(chunks=20, delay_ms=5)))

    async def leave_early() -> None:
        async for _ in runs.follow(run.id):
            return

    asyncio.run(leave_early())
    assert bench.events(run)[-1]["data"]["status"] == "succeeded"


def test_fifty_runs_started_at_once_each_tell_every_event_once(bench: Any) -> None:
    app = bench.app(chat_document(chunks=20))

    async def one(number: int) -> list[tuple[int, str]]:
        run = await asyncio.to_thread(bench.start, app, None, query=f"q{number}")
        return [item async for item in runs.follow(run.id)]

    async def all_of_them() -> list[list[tuple[int, str]]]:
        async with asyncio.timeout(HANG):
            return await asyncio.gather(*(one(number) for number in range(50)))

    for events in asyncio.run(all_of_them()):
        assert [seq for seq, _ in events] == list(range(1, len(events) + 1))
        parsed = [json.loads(payload) for _, payload in events]
        assert parsed[0]["event"] == "workflow_started"
        assert parsed[-1]["event"] == "workflow_finished"
        assert "".join(e["answer"] for e in parsed if e["event"] == "message") == "".join(f"w{i} " for i in range(20))
        assert len({e.get("task_id") for e in parsed}) == 1


def test_a_reader_that_lags_behind_holds_nothing_of_an_engine_that_is_done(bench: Any, soon: Any) -> None:
    from graphon.engine import Engine

    run = bench.start(bench.app(chat_document(chunks=50)))

    def any_engine() -> bool:
        return any(isinstance(one, Engine) for one in gc.get_objects())

    async def lag() -> int:
        source = runs.batches(run.id, after=0)
        seen = len(await anext(source))
        await asyncio.to_thread(soon, lambda: run.id not in runs.machine().live)
        # Soon, because the threads of an earlier test's runs may be about to end.
        await asyncio.to_thread(soon, lambda: gc.collect() >= 0 and not any_engine())
        async for batch in source:
            seen += len(batch)
        return seen

    assert asyncio.run(lag()) == len(bench.events(run))


@pytest.mark.slow
def test_a_thousand_quiet_readers_look_only_when_there_is_something(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = bench.start(bench.app(chat_document(delay_ms=500, chunks=3)))
    looks, since = list[int](), EventLog.since

    def counted(self: EventLog, after: int) -> Any:
        looks.append(after)
        return since(self, after)

    monkeypatch.setattr(EventLog, "since", counted)

    async def read() -> int:
        return len([item async for item in runs.follow(run.id)])

    async def many() -> set[int]:
        return set(await asyncio.gather(*(read() for _ in range(1000))))

    counts = asyncio.run(many())
    assert len(counts) == 1
    # Each at its start, at each event, and once more to see that there is nothing after it.
    assert len(looks) <= 1000 * 2 * (counts.pop() + 1)


# The stream


def test_frames_have_numbers_a_retry_hint_and_pings_while_quiet(bench: Any) -> None:
    run = bench.start(bench.app(chat_document(delay_ms=500, chunks=2)))

    async def collect() -> list[bytes]:
        return [piece async for piece in stream.frames(run)]

    text = b"".join(asyncio.run(collect())).decode()
    frames = text.split("\n\n")
    assert frames[0] == "retry: 3000\nevent: ping"
    assert ": ping" in frames
    numbered = [frame for frame in frames if frame.startswith("id: ")]
    assert [frame.split("\n")[0] for frame in numbered] == [f"id: {n}" for n in range(1, len(numbered) + 1)]
    assert all(json.loads(frame.split("\ndata: ")[1])["event"] for frame in numbered)
    answer = stream.response(run)
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.headers["x-accel-buffering"] == "no"
    assert "no-cache" in answer.headers["cache-control"]


def test_a_common_parser_meets_no_message_without_data(bench: Any) -> None:
    run = bench.start(bench.app(chat_document()))
    told = httpx.Response(200, headers={"content-type": "text/event-stream"}, content=asyncio.run(_whole(run)))
    events = list(EventSource(told).iter_sse())
    assert [event.event for event in events if not event.data] == ["ping"]
    assert json.loads(events[-1].data)["event"] == "workflow_finished"


async def _whole(run: rows.Run) -> bytes:
    return b"".join([piece async for piece in stream.frames(run)])


# A lost worker


def test_runs_that_an_earlier_process_left_are_ended_with_the_reason(bench: Any, configure: Any) -> None:
    app = bench.app(chain_document(node("t", "http-request", method="post", url="http://shop.example/orders")))
    row = rows.create(app_id=app.id, version_id=app.published_id, caller=bench.caller, inputs={}, mode=app.mode)
    rows.begin(row.id)
    chunk = {"event": "text_chunk", "workflow_run_id": row.id, "task_id": row.task_id, "data": {"text": "Hi"}}
    chunk["data"]["from_variable_selector"] = None
    stored_events.append(row.id, 1, [json.dumps(chunk)])
    configure()

    last = bench.numbered(row)[-1]
    ended = bench.stored(row)
    assert (ended.status, ended.error) == ("failed", "worker_lost: The process that ran this was lost.")
    assert last[0] == 2
    assert (last[1]["event"], last[1]["data"]["status"]) == ("workflow_finished", "failed")
    assert last[1]["workflow_run_id"] == row.id


def test_importing_the_interface_does_not_import_the_engine() -> None:
    code = "import sys, engine.runs, engine.stream; print('graphon' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
