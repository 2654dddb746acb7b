"""Whatever thread works for a run waits for a store that is away as long as the run lives."""

from __future__ import annotations

from typing import Any

import pytest

from engine.models.echo import EchoModel
from store import patience
from store.patience import Kind
from tests.engine.conftest import Bench
from tests.engine.graphs import document, edge, end, llm, node


def test_a_node_waits_for_the_store_as_its_run_does(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    kinds: list[Kind] = []
    real = EchoModel.chunks

    def noted(*args: Any, **options: Any) -> Any:
        kinds.append(patience.kind())
        return real(*args, **options)

    monkeypatch.setattr(EchoModel, "chunks", noted)
    # Two branches: with one alone no thread but the run's own is at work.
    nodes = [
        node("start", "start", variables=[]),
        llm("one", "one", delay_ms=1),
        llm("two", "two", delay_ms=1),
        end(text=["one", "text"]),
    ]
    edges = [edge("start", "one"), edge("start", "two"), edge("one", "end"), edge("two", "end")]
    assert bench.run(document(nodes, edges))[-1]["data"]["status"] == "succeeded"
    assert kinds == [Kind.RUN, Kind.RUN]
