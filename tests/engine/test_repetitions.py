"""Every definition at hand gives the same events each time it is run with the same inputs.

Those of ``examples/`` and ``tests/definitions/``, and more if there are any (see there). Three repetitions in the quick
suite, forty in the tox environment ``repeat``, on each version of Python; ``DIFYSPEC_EVENTS`` names a folder that the
first version leaves its events in, and that the next compares its own with.

What must be equal is said by `settled`: everything but ids and times. That is the order of all events, how text is cut
into pieces, the running numbers, inputs, outputs, tokens and errors. Where branches work side by side (more than one
worker, which a graph gets when it branches out and waits for something outside) they may interleave: there each node's
own events are equal and in order, and so are the pieces of text; only how events of different nodes follow each other,
and the running numbers, may differ.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from engine.definition.reading import load
from engine.inputs.variables import WORKFLOW_MODES, variables
from engine.models.table import ModelTable
from engine.running.workers import workers_for
from tests.definitions import EXAMPLES, HERE, MORE
from tests.engine.conftest import Bench
from tests.engine.forms import answer
from tests.engine.order import problems

FILES = [*EXAMPLES, *HERE, *MORE]
REPETITIONS = int(os.environ.get("DIFYSPEC_REPETITIONS", "3"))
FOLDER = os.environ.get("DIFYSPEC_EVENTS", "")
CHANGING = {
    "id", "task_id", "workflow_run_id", "message_id", "conversation_id", "created_at", "finished_at", "elapsed_time",
    "sys.workflow_run_id", "sys.timestamp", "sys.user_id", "sys.app_id", "sys.workflow_id", "workflow_id", "created_by",
    "form_id", "form_token", "form_url", "expiration_time", "node_execution_id", "parent_id", "started_at",
}  # fmt: skip


def inputs_for(document: dict[str, Any]) -> dict[str, Any]:
    """A value for each declared input."""
    values: dict[str, Any] = {}
    for variable in variables(document):
        if variable.type in ("file", "file-list"):
            continue
        special = {"number": 3, "select": (variable.options or ("",))[0], "checkbox": True, "json_object": {}}
        values[variable.name] = special.get(variable.type, "some text")
    return values


def settled(value: Any) -> Any:
    """An event without what must differ from one run to the next (ids and times)."""
    if isinstance(value, dict) and "iteration_duration_map" in value:
        value = {**value, "iteration_duration_map": list(value["iteration_duration_map"])}
    if isinstance(value, dict) and "loop_duration_map" in value:
        value = {**value, "loop_duration_map": list(value["loop_duration_map"])}
    if isinstance(value, dict):
        return {key: settled(item) for key, item in value.items() if key not in CHANGING}
    return [settled(item) for item in value] if isinstance(value, list) else value


def apart(events: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """The settled events by what tells them: each node, or the run; without running numbers."""
    found: dict[str, list[Any]] = {}
    for event in settled(events):
        data = event.get("data", {})
        if event["event"].startswith("node_"):
            data.pop("index")
        found.setdefault(str(data.get("node_id")), []).append(event)
    return found


def once(bench: Bench, app: Any, document: dict[str, Any]) -> list[dict[str, Any]]:
    """Run an app to its end; a form is answered as soon as it is asked."""
    query = {"query": "blue is the question"} if document["mode"] not in ("workflow", "completion") else {}
    run = bench.start(app, inputs_for(document), **query)
    told = bench.numbered(run)
    while (last := told[-1])[1]["event"] == "workflow_paused":
        for reason in last[1]["data"]["reasons"]:
            answer(reason["form_token"], reason["actions"][0]["id"], comment="fine")
        told += bench.numbered(run, last[0])
    return [event for _, event in told]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_definition_gives_the_same_events_every_time(bench: Bench, path: Path) -> None:
    document = load(path.read_bytes()).document
    app = bench.app(document)
    first = once(bench, app, document)
    if document["mode"] in WORKFLOW_MODES:
        if workers_for(document["graph"], ModelTable()) > 1:
            return  # see below
        assert problems(first, document) == []
        # A station that does not answer leaves its mark on a run that goes on with what stands in for it.
        well = "partial-succeeded" if path.stem == "station" else "succeeded"
        assert first[-1]["data"]["status"] == well, first[-1]["data"]["error"]
    else:
        assert first[-1]["event"] == "message_end"
    assert json.dumps(first).isprintable()
    for repetition in range(1, REPETITIONS):
        assert settled(once(bench, app, document)) == settled(first), f"repetition {repetition}"
    if FOLDER:
        same_as_elsewhere(path.stem, settled(first))


def same_as_elsewhere(name: str, events: list[Any]) -> None:
    """Compare with what another version of Python left; leave it for the next if there is nothing yet."""
    file = Path(FOLDER) / f"{name}.json"
    if file.exists():
        assert events == json.loads(file.read_text(encoding="utf-8")), f"not as in {file}"
    else:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(events, indent=1), encoding="utf-8")


@pytest.mark.timeout(600)
def test_branches_side_by_side_differ_only_in_how_they_interleave(bench: Bench) -> None:
    path = next(path for path in HERE if path.stem == "two_languages")
    document = load(path.read_bytes()).document
    for node in document["graph"]["nodes"]:
        if node["data"]["type"] == "llm":
            node["data"]["model"] |= {"provider": "echo", "completion_params": {"delay_ms": 2}}
    assert workers_for(document["graph"], ModelTable()) > 1
    app = bench.app(document)
    first = once(bench, app, document)
    assert problems(first, document) == []
    for repetition in range(1, REPETITIONS):
        events = once(bench, app, document)
        assert problems(events, document) == []
        assert apart(events) == apart(first), f"repetition {repetition}"
