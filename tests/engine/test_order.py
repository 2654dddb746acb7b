"""The order rules hold for every graph: runs of drawn programs, each held against `tests.engine.order`.

Forty of them in the quick suite, always the same; ``DIFYSPEC_FUZZ_EXAMPLES`` asks for more, drawn anew.
"""

from __future__ import annotations

import os
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.engine.conftest import Bench
from tests.engine.forms import answer
from tests.engine.graphs import document, edge, end, llm, node, template
from tests.engine.order import problems
from tests.engine.programs import LISTS, programs
from tests.engine.test_error_strategies import container

MORE = int(os.environ.get("DIFYSPEC_FUZZ_EXAMPLES", "0"))
ALL = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]
FUZZED = settings(
    max_examples=MORE or 15, derandomize=not MORE, deadline=None, suppress_health_check=ALL, database=None
)


def whole(bench: Bench, definition: dict[str, Any], choose: Any) -> list[dict[str, Any]]:
    """Run it to its end; ``choose`` says which form a person answers, and which button they press."""
    run = bench.start(bench.app(definition))
    events, after = [], 0
    while True:
        found = bench.numbered(run, after)
        events += [event for _, event in found]
        after = found[-1][0]
        if events[-1]["event"] != "workflow_paused":
            return events
        asked = {reason["node_id"]: reason["form_token"] for reason in events[-1]["data"]["reasons"]}
        token = asked[choose(st.sampled_from(sorted(asked)))]
        answer(token, choose(st.sampled_from(["approve", "reject"])), comment="fine")


@FUZZED
@given(programs(), st.data())
def test_the_events_of_any_graph_come_in_order(bench: Bench, definition: dict[str, Any], data: Any) -> None:
    events = whole(bench, definition, data.draw)
    assert problems(events, definition) == []


def test_the_checker_notices_any_event_that_is_missing_or_told_twice(bench: Bench) -> None:
    around = template("inner", "<{{ v }}>", v=["it", "item"])
    inside = container("iteration", around, iterator_selector=["env", "list2"], output_selector=["inner", "output"])
    nodes = [node("start", "start", variables=[]), *inside, llm("llm", "x"), end(text=["llm", "text"])]
    edges = [edge("start", "it"), edge("first", "inner"), edge("it", "llm"), edge("llm", "end")]
    definition = document(nodes, edges, environment_variables=LISTS)
    events = bench.run(definition)
    assert problems(events, definition) == []
    for index, event in enumerate(events):
        assert problems(events[:index] + events[index + 1 :], definition), f"without {event['event']} ({index})"
        assert problems(events[: index + 1] + events[index:], definition), f"twice {event['event']} ({index})"
