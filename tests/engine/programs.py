"""Graphs at random, for tests of what holds for every graph: a drawn program of blocks, one after the other.

A block is a node or a few that belong together (a branch with both its sides, branches side by side, a container
with what is in it). It begins where the block before it was left, and leaves a value that the next may use.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from tests.engine.forms import ask
from tests.engine.graphs import code, document, edge, end, llm, node, template

Exits = list[tuple[str, str]]
LISTS = [{"name": f"list{size}", "value_type": "array[string]", "value": list("abc"[:size])} for size in range(4)]
SIMPLE = ["template", "template", "llm", "llm", "code", "answer", "failing", "human"]
COMPOUND = ["branch", "parallel", "iteration", "loop"]


@dataclass
class Builder:
    """The nodes and edges so far; ``parent`` is the container that is being filled."""

    draw: Callable[[Any], Any]
    mode: str
    nodes: list[dict[str, Any]] = field(default_factory=list)
    edges: list[dict[str, Any]] = field(default_factory=list)
    parents: list[tuple[str, str]] = field(default_factory=list)
    value: list[str] = field(default_factory=lambda: ["sys", "user_id"])

    def name(self, kind: str) -> str:
        """An id that no other node has."""
        return f"{kind}_{len(self.nodes)}"

    def add(self, made: dict[str, Any], sources: Exits, output: str | None = "output") -> Exits:
        """Put in a node behind its sources; answers where it is left. ``output`` becomes the value."""
        if self.parents:
            kind, owner = self.parents[-1]
            flag = "isInIteration" if kind == "iteration" else "isInLoop"
            made = {**made, "parentId": owner, "data": {**made["data"], f"{kind}_id": owner, flag: True}}
        self.nodes.append(made)
        self.edges += [edge(source, made["id"], handle) for source, handle in sources]
        if output is not None:
            self.value = [made["id"], output]
        return [(made["id"], "source")]

    def block(self, sources: Exits, depth: int) -> Exits:
        """Put in one block."""
        kind = self.draw(st.sampled_from(SIMPLE + (COMPOUND * 2 if depth else [])))
        made: Exits = getattr(self, f"_{kind}")(sources, depth)
        return made

    def blocks(self, sources: Exits, depth: int, most: int) -> Exits:
        """Put in one or more."""
        for _ in range(self.draw(st.integers(1, most))):
            sources = self.block(sources, depth)
        return sources

    def _template(self, sources: Exits, depth: int) -> Exits:
        return self.add(template(self.name("template"), "<{{ v }}>", v=self.value), sources)

    def _llm(self, sources: Exits, depth: int) -> Exits:
        script = {"chunks": self.draw(st.integers(0, 3)), "delay_ms": self.draw(st.sampled_from([0, 0, 2]))}
        return self.add(llm(self.name("llm"), "say {{#" + ".".join(self.value) + "#}}", **script), sources, "text")

    def _code(self, sources: Exits, depth: int) -> Exits:
        return self.add(
            code(self.name("code"), "def main(): return {'result': 'x'}", result="string"), sources, "result"
        )

    def _answer(self, sources: Exits, depth: int) -> Exits:
        if self.mode != "advanced-chat":
            return self._template(sources, depth)
        text = "[{{#" + ".".join(self.value) + "#}}]"
        return self.add(node(self.name("answer"), "answer", answer=text), sources, None)

    def _failing(self, sources: Exits, depth: int) -> Exits:
        strategy = self.draw(st.sampled_from(["fail-branch", "default-value", "retry", "retry", "none"]))
        made = llm(self.name("failing"), "x", error="asleep", error_after=self.draw(st.sampled_from([None, 0, 1])))
        if strategy == "retry":
            made["data"]["retry_config"] = {"retry_enabled": True, "max_retries": 2, "retry_interval": 1}
            made["data"]["model"]["completion_params"]["fail_times"] = self.draw(st.integers(1, 3))
        elif strategy != "none":
            made["data"]["error_strategy"] = strategy
            made["data"]["default_value"] = [{"key": "text", "type": "string", "value": "instead"}]
        before = self.value
        exits = self.add(made, sources, "text")
        if strategy != "fail-branch":
            return exits
        self.value = before
        return exits + self._template([(made["id"], "fail-branch")], depth)

    def _human(self, sources: Exits, depth: int) -> Exits:
        name = self.name("human")
        self.add(ask(name), sources, "__action_id")
        # A button without an edge ends its branch.
        return [(name, "approve")] + ([(name, "reject")] if self.draw(st.booleans()) else [])

    def _branch(self, sources: Exits, depth: int) -> Exits:
        name, before = self.name("branch"), self.value
        letter = self.draw(st.sampled_from(["a", "e", "0", "w1", "never there"]))
        condition = {"variable_selector": before, "comparison_operator": "contains", "value": letter}
        cases = [{"case_id": "true", "logical_operator": "and", "conditions": [condition]}]
        self.add(node(name, "if-else", cases=cases), sources, None)
        exits, values = [], []
        for handle in ("true", "false"):
            self.value = before
            exits += self.blocks([(name, handle)], depth - 1, 2)
            values.append(self.value)
        if self.draw(st.booleans()):
            joined = node(self.name("either"), "variable-aggregator", output_type="string", variables=values)
            return self.add(joined, exits)
        self.value = before
        return exits

    def _parallel(self, sources: Exits, depth: int) -> Exits:
        fork = self._template(sources, depth)
        before, exits, values = self.value, [], {}
        for number in range(self.draw(st.integers(2, 3))):
            self.value = before
            exits += self.blocks(fork, depth - 1, 2)
            values[f"v{number}"] = self.value
        return self.add(template(self.name("joined"), "{{ v0 }}|{{ v1 }}", **values), exits)

    def _iteration(self, sources: Exits, depth: int) -> Exits:
        parallel = self.draw(st.booleans())
        data = {
            "iterator_selector": ["env", f"list{self.draw(st.integers(0, 3))}"],
            "is_parallel": parallel,
            "parallel_nums": 2,
            "error_handle_mode": self.draw(
                st.sampled_from(["terminated", "continue-on-error", "remove-abnormal-output"])
            ),
        }
        return self._container("iteration", data, sources, depth)

    def _loop(self, sources: Exits, depth: int) -> Exits:
        data = {
            "loop_count": self.draw(st.integers(1, 3)),
            "break_conditions": [],
            "logical_operator": "and",
            "loop_variables": [],
        }
        return self._container("loop", data, sources, depth)

    def _container(self, kind: str, data: dict[str, Any], sources: Exits, depth: int) -> Exits:
        name, before = self.name(kind), self.value
        made = node(name, kind, start_node_id=f"{name}_start", **data)
        exits = self.add(made, sources, "output" if kind == "iteration" else "loop_round")
        after = self.value
        self.parents.append((kind, name))
        self.value = [name, "item"] if kind == "iteration" else before
        inside = self.add(node(f"{name}_start", f"{kind}-start"), [], None)
        self.blocks(inside, depth - 1, 2)
        made["data"]["output_selector"] = self.value
        self.parents.pop()
        next(one for one in self.nodes if one["id"] == name)["data"]["output_selector"] = self.value
        self.value = after
        return exits


@st.composite
def programs(draw: Callable[[Any], Any]) -> dict[str, Any]:
    """A definition of a workflow or of a chat flow."""
    mode = draw(st.sampled_from(["workflow", "advanced-chat"]))
    builder = Builder(draw, mode)
    builder.nodes.append(node("start", "start", variables=[]))
    exits = builder.blocks([("start", "source")], 2, 4)
    text = "{{#" + ".".join(builder.value) + "#}}"
    last = node("last", "answer", answer=f"{text} and {text}") if mode != "workflow" else end("last", out=builder.value)
    builder.add(last, exits, None)
    return document(builder.nodes, builder.edges, mode, environment_variables=LISTS)
