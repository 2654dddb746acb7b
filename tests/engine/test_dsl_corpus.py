"""App definitions that nobody on this project wrote: they import, run, and repeat their events."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from engine.definition import load
from engine.variables import variables

CORPUS = Path(__file__).parents[3] / "shared" / "dsl"
FILES = sorted(CORPUS.glob("*.yml"))
STREAMING = ["basic_chatflow", "multilingual_parallel_llm_streaming_workflow"]
CHANGING = {
    "id", "task_id", "workflow_run_id", "message_id", "conversation_id", "created_at", "finished_at",
    "elapsed_time",
    "sys.workflow_run_id", "sys.timestamp", "sys.user_id", "sys.app_id", "sys.workflow_id", "workflow_id",
}  # fmt: skip

pytestmark = pytest.mark.skipif(not FILES, reason="the corpus of app definitions is not on this machine")


def inputs_for(document: dict[str, Any]) -> dict[str, Any]:
    """A value for each declared input."""
    values: dict[str, Any] = {}
    for variable in variables(document):
        special = {"number": 3, "select": (variable.options or ("",))[0], "checkbox": True, "json_object": {}}
        values[variable.name] = special.get(variable.type, "some text")
    return values


def settled(value: Any) -> Any:
    """An event without what must differ from one run to the next (ids and times)."""
    if isinstance(value, dict) and "iteration_duration_map" in value:
        value = {**value, "iteration_duration_map": list(value["iteration_duration_map"])}
    if isinstance(value, dict):
        return {key: settled(item) for key, item in value.items() if key not in CHANGING}
    return [settled(item) for item in value] if isinstance(value, list) else value


def once(bench: Any, app: Any) -> list[Any]:
    return bench.events(bench.start(app, inputs_for(app_document(app))))


def app_document(app: Any) -> dict[str, Any]:
    from store import apps

    version = apps.version(app.id, None)
    assert version is not None
    return version.definition


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_definition_runs_and_gives_the_same_events_twice(bench: Any, path: Path) -> None:
    app = bench.app(load(path.read_bytes()).document)

    first, second = once(bench, app), once(bench, app)

    assert settled(first) == settled(second)
    assert first[0]["event"] == "workflow_started"
    last = first[-1]
    assert last["event"] == "workflow_finished"
    assert last["data"]["status"] == "succeeded", last["data"]["error"]
    open_nodes: set[str] = set()
    for event in first:
        if event["event"] == "node_started":
            open_nodes.add(event["data"]["id"])
        if event["event"] == "node_finished":
            open_nodes.remove(event["data"]["id"])
    assert not open_nodes
    assert json.dumps(first).isprintable()


@pytest.mark.slow
@pytest.mark.parametrize("name", STREAMING)
def test_streamed_text_is_cut_the_same_way_forty_times(bench: Any, name: str) -> None:
    path = CORPUS / f"{name}.yml"
    app = bench.app(load(path.read_bytes()).document)

    seen = {json.dumps(settled(once(bench, app))) for _ in range(40)}

    assert len(seen) == 1
