"""The order in which a run of a workflow or a chat flow tells its events, as a checker: `problems`.

The rules are those of the contract's description of runs: what begins and ends a stream, what brackets what, which
event belongs to which, and that a text that was told in pieces is the text that is told at the end.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

Event = dict[str, Any]
CONTAINERS = ("iteration", "loop")
SILENT = (*CONTAINERS, "iteration-start", "loop-start")
TEXTS = {"workflow": "text_chunk", "advanced-chat": "message"}
ENDINGS = ("succeeded", "partial-succeeded", "failed", "stopped")


def problems(events: list[Event], definition: dict[str, Any]) -> list[str]:
    """Every rule that the events of one run break, from its first event to its last, all its pauses included."""
    return list(_Checker(events, definition).check())


def said(events: list[dict[str, Any]]) -> str:
    """The text as a client shows it."""
    text = ""
    for event in events:
        match event["event"]:
            case "message":
                text += event["answer"]
            case "text_chunk":
                text += event["data"]["text"]
            case "message_replace":
                text = event["answer"]
            case "text_replace":
                text = event["data"]["text"]
    return text


@dataclass
class _Execution:
    node_id: str
    index: int
    retries: int = 0
    finished: bool = False
    waits: bool = False


@dataclass
class _Checker:
    events: list[Event]
    definition: dict[str, Any]
    executions: dict[str, _Execution] = field(default_factory=dict)
    # Containers that are open now: node id → the indices told by their ``next`` events.
    open: dict[str, list[int]] = field(default_factory=dict)
    # Node id → how often it was begun and done; a container counts too.
    begun: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    done: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def __post_init__(self) -> None:
        graph = self.definition["graph"]
        self.nodes = {one["id"]: one for one in graph["nodes"]}
        self.kinds = {name: one["data"]["type"] for name, one in self.nodes.items()}
        self.before: dict[str, list[str]] = defaultdict(list)
        for one in graph["edges"]:
            self.before[one["target"]].append(one["source"])

    def check(self) -> Iterator[str]:
        """Yield what is wrong."""
        yield from self._frame()
        if self.events[-1]["event"] != "workflow_finished":
            return
        for number, event in enumerate(self.events):
            yield from (f"event {number} ({event['event']}): {problem}" for problem in self._event(number, event))
        yield from self._end()
        yield from self._text()

    # What holds for the whole stream.

    def _frame(self) -> Iterator[str]:
        names = [event["event"] for event in self.events]
        if names[0] != "workflow_started" or self.events[0]["data"]["reason"] != "initial":
            yield "the first event is not workflow_started with the reason 'initial'"
        if names.count("workflow_finished") != 1 or names[-1] != "workflow_finished":
            yield "workflow_finished is not the last event, once"
        if (names.count("message_end") == 1) != (self.definition["mode"] == "advanced-chat"):
            yield "a chat flow has one message_end, a workflow none"
        elif "message_end" in names and names[-2] != "message_end":
            yield "message_end is not just before workflow_finished"
        wrong = {"workflow": "message", "advanced-chat": "text_chunk"}[self.definition["mode"]]
        if wrong in names:
            yield f"{wrong} is not an event of this mode"
        for number, name in enumerate(names[1:], 1):
            if (names[number - 1] == "workflow_paused") != (name == "workflow_started"):
                yield f"event {number}: a pause is followed by workflow_started, and only a pause is"
            if name == "workflow_paused" and names[number - 1] != "human_input_required":
                yield f"event {number}: workflow_paused does not come after what it waits for"
            if names[number - 1] == "human_input_required" and name not in ("human_input_required", "workflow_paused"):
                yield f"event {number}: after human_input_required comes another, or workflow_paused"
        if len({(event["task_id"], event.get("workflow_run_id", self._run_id)) for event in self.events}) != 1:
            yield "the events name more than one run or task"

    @property
    def _run_id(self) -> str:
        return str(self.events[0]["workflow_run_id"])

    # What holds between one event and those before it.

    def _event(self, number: int, event: Event) -> Iterator[str]:
        name, data = event["event"], event.get("data", {})
        if name.startswith("node_"):
            yield from self._scope(data)
        match name:
            case "workflow_started" if number:
                yield from self._resumed(number, event)
            case "node_started":
                yield from self._node_started(data)
            case "node_retry" | "node_finished":
                yield from self._node_went_on(name, data)
            case "text_chunk" | "message":
                selector = data.get("from_variable_selector") or event.get("from_variable_selector")
                kind = self.kinds.get(selector[0]) if selector else None
                if kind not in ("start", "end", "answer", None, *CONTAINERS) and not self.begun[selector[0]]:
                    yield f"text of {selector[0]}, which has not begun"
            case "human_input_form_filled" | "human_input_form_timeout":
                before = self.events[number - 1]
                if (before["event"], before["data"].get("node_id")) != ("node_started", data["node_id"]):
                    yield "it does not follow the node_started of its node"
            case "human_input_required":
                waiting = [one for one in self.executions.values() if one.node_id == data["node_id"]]
                if not any(not one.finished for one in waiting):
                    yield "its node is not at work"
                for one in waiting:
                    one.waits = True
        kind, _, step = name.rpartition("_")
        if kind in CONTAINERS:
            yield from self._container(number, kind, step, event)

    def _scope(self, data: dict[str, Any]) -> Iterator[str]:
        owner = self.nodes[data["node_id"]].get("parentId")
        told = {kind: data[f"{kind}_id"] for kind in CONTAINERS}
        if told != {kind: owner if owner and self.kinds[owner] == kind else None for kind in CONTAINERS}:
            yield f"{data['node_id']} is told to be in {told}"
        if owner and owner not in self.open:
            yield f"{data['node_id']} is told outside of its container"
        if self.kinds[data["node_id"]] in SILENT:
            yield f"{data['node_id']} has no events of a node"

    def _resumed(self, number: int, event: Event) -> Iterator[str]:
        if event["data"]["reason"] != "resumption":
            yield "its reason is not 'resumption'"
        after = [one["event"] for one in self.events[number + 1 :]]
        if set(after) <= {"node_finished", "message_end", "workflow_finished"}:
            return  # it ended before it went on
        if after[0] != "node_started" or after[1] not in ("human_input_form_filled", "human_input_form_timeout"):
            yield f"after it come {after[:2]}"

    def _node_started(self, data: dict[str, Any]) -> Iterator[str]:
        known = self.executions.get(data["id"])
        if known is not None:
            if known.finished or not known.waits or known.index != data["index"]:
                yield f"{data['node_id']} was begun before"
            return
        if data["index"] != len(self.executions) + 1:
            yield f"its index is {data['index']}, the {len(self.executions) + 1}th"
        self.executions[data["id"]] = _Execution(data["node_id"], data["index"])
        yield from self._enters(data["node_id"])

    def _enters(self, node_id: str) -> Iterator[str]:
        """A node begins when one that leads to it is done; none that leads to it begins later."""
        self.begun[node_id] += 1
        sources = [one for one in self.before[node_id] if self.kinds[one] not in ("iteration-start", "loop-start")]
        if self.nodes[node_id].get("parentId") is None and sources:
            empty = [one for one in sources if self.kinds[one] == "iteration"]  # over an empty list it is silent
            if not empty and not any(self.done[one] for one in sources):
                yield f"{node_id} begins before any of {sources} is done"
            if any(self.begun[one] > self.done[one] for one in sources):
                yield f"{node_id} begins while one of {sources} is at work"
            if self.begun[node_id] > 1:
                yield f"{node_id} is executed twice"

    def _node_went_on(self, name: str, data: dict[str, Any]) -> Iterator[str]:
        known = self.executions.get(data["id"])
        if known is None or known.node_id != data["node_id"] or known.index != data["index"]:
            yield f"{data['node_id']} was not begun under this id"
        elif known.finished:
            yield f"{data['node_id']} was finished before"
        elif name == "node_retry":
            known.retries += 1
            if data["retry_index"] != known.retries:
                yield f"retry_index is {data['retry_index']}, not {known.retries}"
        else:
            known.finished = True
            self.done[known.node_id] += 1
            if (data["error"] is None) != (data["status"] == "succeeded"):
                yield f"status {data['status']} with error {data['error']!r}"

    def _container(self, number: int, kind: str, step: str, event: Event) -> Iterator[str]:
        data = event["data"]
        name = data["node_id"]
        if data["id"] != name or data["node_type"] != kind or self.kinds[name] != kind:
            yield "id, node_id and node_type do not name the container"
        owner = self.nodes[name].get("parentId")
        if owner and owner not in self.open:
            yield f"{name} is told outside of its container"
        # Rounds side by side open an inner container more than once.
        beside = self._beside(name)
        if step == "started":
            if name in self.open and not beside:
                yield f"{name} is open already"
            self.open[name] = self.open.get(name, []) if beside else []
            yield from self._enters(name)
            if kind == "iteration" and not beside and not self._begins(name, self.events[number + 1]):
                yield "iteration_next with index 0 does not follow"
        elif name not in self.open:
            yield f"{name} is not open"
        elif step == "next":
            told = self.open[name]
            told.append(data["index"])
            parallel = self.nodes[name]["data"].get("is_parallel")
            if not beside and not parallel and told != list(range(kind == "loop", len(told) + (kind == "loop"))):
                yield f"the rounds told are {told}"
        else:
            yield from self._container_done(kind, data, beside)

    @staticmethod
    def _begins(name: str, event: Event) -> bool:
        """Whether an event is the first round of an iteration. That of another kind may have no data."""
        return event["event"] == "iteration_next" and (event["data"]["node_id"], event["data"]["index"]) == (name, 0)

    def _ends_early(self, name: str) -> bool:
        """Whether a loop may end before its last round: it says when, or a node in it ends it."""
        inside = [one["data"]["type"] for one in self.nodes.values() if one.get("parentId") == name]
        return bool(self.nodes[name]["data"].get("break_conditions")) or "loop-end" in inside

    def _container_done(self, kind: str, data: dict[str, Any], beside: bool) -> Iterator[str]:
        name = data["node_id"]
        self.done[name] += 1
        if beside:
            if self.done[name] == self.begun[name]:
                del self.open[name]
            return
        told = self.open.pop(name)
        if data["status"] == "succeeded":
            length = len(data["inputs"]["iterator_selector"]) if kind == "iteration" else data["inputs"]["loop_count"]
            wanted = list(range(length)) if kind == "iteration" else list(range(1, length + 1))
            if kind == "loop" and self._ends_early(name):
                wanted = wanted[: len(told)]
            if sorted(told) != wanted:
                yield f"the rounds told are {told}, not {wanted}"
        inside = {one for one, made in self.nodes.items() if made.get("parentId") == name}
        if data["status"] == "succeeded" and any(self.begun[one] > self.done[one] for one in inside):
            yield f"{name} is done while nodes in it are at work"

    def _beside(self, name: str) -> bool:
        owner = self.nodes[name].get("parentId")
        while owner:
            if self.nodes[owner]["data"].get("is_parallel"):
                return True
            owner = self.nodes[owner].get("parentId")
        return False

    # What holds at the end.

    def _end(self) -> Iterator[str]:
        last = self.events[-1]["data"]
        left = [one.node_id for one in self.executions.values() if not one.finished]
        if left:
            yield f"{left} were begun and never finished"
        statuses = [event["data"]["status"] for event in self.events if event["event"] == "node_finished"]
        if last["status"] not in ENDINGS or (last["error"] is None) != ("succeeded" in last["status"]):
            yield f"it ended as {last['status']} with error {last['error']!r}"
        retried = any(one.retries for one in self.executions.values())
        if last["status"] == "succeeded" and ("exception" in statuses or last["exceptions_count"]):
            yield "it succeeded with failures"
        if last["status"] == "partial-succeeded" and not last["exceptions_count"]:
            yield "it succeeded in part without a failure"
        if last["status"] == "failed" and "failed" not in statuses:
            yield "it failed and no node did"
        if last["exceptions_count"] < statuses.count("exception") or (
            not retried and last["exceptions_count"] and not {"exception", "failed"} & set(statuses)
        ):
            yield f"{last['exceptions_count']} failures were counted"
        if last["status"] != "failed" and self.open:
            yield f"{list(self.open)} were never completed"

    def _text(self) -> Iterator[str]:
        """What was told in pieces is what is told at the end."""
        last, text = self.events[-1]["data"], said(self.events)
        if last["status"] not in ("succeeded", "partial-succeeded"):
            return
        if self.definition["mode"] == "advanced-chat":
            if text != last["outputs"]["answer"]:
                yield f"the pieces make {text!r}, the answer is {last['outputs']['answer']!r}"
            return
        ends = [one for one in self.nodes if self.kinds[one] == "end" and self.done[one]]
        texts = list(last["outputs"].values())
        if len(ends) == 1 and all(isinstance(value, str) for value in texts) and text != "\n".join(texts):
            yield f"the pieces make {text!r}, the outputs are {texts}"
