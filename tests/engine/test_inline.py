"""Graphs of which one node works at a time run on the thread of their run."""

from __future__ import annotations

import itertools
import queue
import threading
from collections.abc import Callable
from typing import Any

import pytest
from graphon.engine.event.processor import NodeEventProcessor
from graphon.engine.layer.base import Layer
from graphon.engine_events import NodeRunSucceededEvent

from engine import runs
from engine.running import execute  # noqa: F401 - brings the layers
from engine.running.gate import Gate
from tests.engine import graphs


def engine_threads() -> list[str]:
    """The names of the threads that the engine proper has."""
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("Engine")]


def test_a_run_without_parallel_branches_needs_no_threads_of_the_engine(bench: Any, soon: Callable[..., Any]) -> None:
    before = engine_threads()
    run = bench.start(bench.app(graphs.chat_document(chunks=1, delay_ms=60_000)))
    soon(lambda: bench.stored(run).status == "running" and runs.machine().live[run.id].progress is not None)
    assert engine_threads() == before
    runs.stop(run)


@pytest.mark.parametrize("layer", (layer for layer in Layer.__subclasses__() if layer.__module__.startswith("engine.")))
def test_our_layers_hear_of_nodes_at_their_start_and_by_their_events_only(layer: type[Layer]) -> None:
    own = set(vars(layer)) & set(vars(Layer))
    assert not own & {"node_run_context", "on_node_run_end"}, "a run on one thread leaves these out"


def test_what_breaks_between_the_nodes_ends_the_run_and_is_no_node_s_failure(
    bench: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    dispatch = NodeEventProcessor.dispatch

    def breaking(self: Any, task: Any) -> None:
        if isinstance(task.event, NodeRunSucceededEvent) and task.event.node_id == "t0":
            raise ValueError("out of order")
        dispatch(self, task)

    monkeypatch.setattr(NodeEventProcessor, "dispatch", breaking)
    template = graphs.template("t0", "hello")
    template["data"] |= {
        "error_strategy": "default-value",
        "default_value": [{"key": "output", "type": "string", "value": "-"}],
    }
    nodes = [graphs.node("start", "start", variables=[]), template, graphs.end(r=["t0", "output"])]
    events = bench.run(graphs.document(nodes, [graphs.edge("start", "t0"), graphs.edge("t0", "end")]))
    assert [event["event"] for event in events][-2:] == ["node_finished", "workflow_finished"]
    assert (events[-1]["data"]["status"], events[-1]["data"]["error"]) == ("failed", "out of order")


def test_to_be_kept_costs_a_run_no_wait(bench: Any, configure: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(checkpoint_seconds=1e-9)
    kept, waits = list[str](), list[float]()
    pause, get = Gate._pause, queue.Queue.get

    def counted(self: Gate, execution: Any) -> None:
        kept.append("")
        pause(self, execution)

    def got(self: Any, block: bool = True, timeout: float | None = None) -> Any:
        if timeout and threading.current_thread().name == "run":
            waits.append(timeout)
        return get(self, block, timeout)

    monkeypatch.setattr(Gate, "_pause", counted)
    monkeypatch.setattr(queue.Queue, "get", got)
    ids = [f"t{n}" for n in range(20)]
    nodes = [graphs.node("start", "start", variables=[]), *(graphs.template(one, "x") for one in ids), graphs.end()]
    chain = ["start", *ids, "end"]
    app = bench.app(graphs.document(nodes, [graphs.edge(a, b) for a, b in itertools.pairwise(chain)]))
    assert bench.events(bench.start(app))[-1]["data"]["status"] == "succeeded"
    assert len(kept) == len(nodes), "once after each node, never before one was done"
    assert waits == [], "the engine waits a tenth of a second for workers, of which there are none"
