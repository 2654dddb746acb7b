"""Question classifiers and parameter extractors, on the echo model."""

from __future__ import annotations

from typing import Any

import pytest

from tests.engine.graphs import chain_document, document, edge, end, node

MODEL = {"provider": "echo", "name": "echo", "mode": "chat", "completion_params": {}}
CLASSES = [
    {"id": "1", "name": "questions about an invoice", "label": "Money"},
    {"id": "2", "name": "broken {{#start.product#}} or other faults", "label": ""},
    {"id": "3", "name": "anything else"},
]


def model(mode: str = "chat", **script: Any) -> dict[str, Any]:
    return {**MODEL, "mode": mode, "completion_params": script}


def classifying(mode: str = "workflow", *, error_strategy: str | None = None, **data: Any) -> dict[str, Any]:
    """start → classifier → one end for each class, which tells what the classifier said."""
    inputs = [
        {"variable": "said", "type": "paragraph", "label": "s", "required": False},
        {"variable": "product", "type": "text-input", "label": "p", "required": False},
    ]
    settings = {"model": model(), "classes": CLASSES, "query_variable_selector": ["start", "said"], **data}
    nodes = [node("start", "start", variables=inputs), node("sort", "question-classifier", **settings)]
    if error_strategy:
        nodes[1]["data"]["error_strategy"] = error_strategy
    edges = [edge("start", "sort")]
    for handle in [one["id"] for one in settings["classes"]] + ["fail-branch"]:
        nodes.append(
            end(f"end{handle}", name=["sort", "class_name"], label=["sort", "class_label"], id=["sort", "class_id"])
        )
        edges.append(edge("sort", f"end{handle}", handle))
    return document(nodes, edges, mode)


def told(events: list[dict[str, Any]]) -> dict[str, Any]:
    assert events[-1]["event"] == "workflow_finished"
    return events[-1]["data"]


def reached(events: list[dict[str, Any]]) -> list[str]:
    return [e["data"]["node_id"] for e in events if e["event"] == "node_started"]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("Where is my invoice?", ("questions about an invoice", "Money", "1")),
        ("My lamp is broken", ("broken lamp or other faults", "CLASS 2", "2")),
        ("anything", ("anything else", "CLASS 3", "3")),
    ],
)
@pytest.mark.parametrize("mode", ["chat", "completion"])
def test_the_branch_of_the_class_is_taken_and_the_class_is_told(
    bench: Any, mode: str, said: str, expected: tuple[str, str, str]
) -> None:
    events = bench.run(classifying(model=model(mode)), {"said": said, "product": "lamp"})
    assert told(events)["outputs"] == dict(zip(("name", "label", "id"), expected, strict=True))
    assert reached(events) == ["start", "sort", f"end{expected[2]}"]
    assert told(events)["total_tokens"] > 0


@pytest.mark.parametrize(
    "answer", ["I cannot say", "``5``", '{"category_id": ["2"], "category_name": "x"}', "[[]]", ""]
)
def test_an_unclear_answer_takes_the_first_class(bench: Any, answer: str) -> None:
    events = bench.run(classifying(model=model(answer=answer)), {"said": "My lamp is broken"})
    assert told(events)["status"] == "succeeded"
    assert told(events)["outputs"]["id"] == "1"


def test_a_class_that_does_not_exist_takes_the_first_class(bench: Any) -> None:
    events = bench.run(classifying(model=model(category="99")), {"said": "x"})
    assert told(events)["outputs"] == {"name": "questions about an invoice", "label": "Money", "id": "1"}


def test_a_classifier_without_a_model_s_answer_fails_with_its_error(bench: Any) -> None:
    events = bench.run(classifying(model=model(error="asleep")), {"said": "x"})
    assert (told(events)["status"], told(events)["error"]) == ("failed", "asleep")
    events = bench.run(classifying(model=model(error="asleep"), error_strategy="fail-branch"), {"said": "x"})
    assert reached(events)[-1] == "endfail-branch"


def test_a_classifier_without_classes_says_so(bench: Any) -> None:
    assert told(bench.run(classifying(classes=[]), {"said": "x"}))["error"] == "The classifier has no classes"


PARAMETERS = [
    {"name": "city", "type": "string", "description": "a city", "required": True},
    {"name": "count", "type": "number", "description": "how many", "required": True},
    {"name": "size", "type": "select", "options": ["small", "large"], "description": "size", "required": True},
    {"name": "urgent", "type": "bool", "description": "urgent?", "required": False},
    {"name": "tags", "type": "array[string]", "description": "tags", "required": False},
]
WANTED = {"city": "Oslo", "count": 3, "size": "large", "urgent": True, "tags": ["a", "b"]}


def extracting(reasoning_mode: str = "function_call", **data: Any) -> dict[str, Any]:
    settings = {
        "model": model(), "query": ["start", "said"], "parameters": PARAMETERS, "reasoning_mode": reasoning_mode, **data
    }  # fmt: skip
    definition = chain_document(node("find", "parameter-extractor", **settings), "city")
    nodes = definition["graph"]["nodes"]
    nodes[0]["data"]["variables"] = [{"variable": "said", "type": "paragraph", "label": "s", "required": False}]
    names = [p["name"] for p in settings["parameters"]] + ["__is_success", "__reason", "__usage"]
    nodes[2] = end("end", **{name: ["find", name] for name in names})
    return definition


@pytest.mark.parametrize("reasoning_mode", ["function_call", "prompt", None])
@pytest.mark.parametrize("mode", ["chat", "completion"])
def test_the_parameters_are_found_by_a_call_or_in_the_text(bench: Any, reasoning_mode: str, mode: str) -> None:
    events = bench.run(extracting(reasoning_mode, model=model(mode, json=WANTED)), {"said": "to Oslo"})
    outputs = told(events)["outputs"]
    assert {name: outputs[name] for name in WANTED} == WANTED
    assert (outputs["__is_success"], outputs["__reason"]) == (1, None)
    assert outputs["__usage"]["total_tokens"] == told(events)["total_tokens"] > 0


def test_what_is_in_the_text_is_found(bench: Any) -> None:
    outputs = told(bench.run(extracting(), {"said": "4 large boxes"}))["outputs"]
    assert (outputs["count"], outputs["size"]) == (4, "large")


def test_an_answer_without_values_gives_empty_ones_and_says_why(bench: Any) -> None:
    events = bench.run(extracting("prompt", model=model(answer="no idea")), {"said": "x"})
    outputs = told(events)["outputs"]
    assert {name: outputs[name] for name in WANTED} == {"city": "", "count": 0, "size": "", "urgent": False, "tags": []}
    assert outputs["__is_success"] == 0
    assert outputs["__reason"]
    assert told(events)["status"] == "succeeded"


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"count": "many"}, "Invalid value for parameter count"),
        ({"size": "huge"}, "Invalid `select` value for parameter size"),
    ],
)
def test_a_value_of_another_kind_is_told(bench: Any, wrong: dict[str, Any], reason: str) -> None:
    outputs = told(bench.run(extracting(model=model(json={**WANTED, **wrong})), {"said": "x"}))["outputs"]
    assert outputs["__is_success"] == 0
    assert outputs["__reason"].startswith(reason)


@pytest.mark.parametrize("reasoning_mode", ["prompt", "function_call"])
@pytest.mark.parametrize(
    ("written", "city"),
    [
        ('Here: {"city": "a } b", "count": 1, "size": "small", "urgent": true, "tags": []}.', "a } b"),
        ('{no} {"city": "two\nlines", "count": 1, "size": "small", "urgent": true, "tags": []}', "two\nlines"),
        ("{" * 300_000, ""),
        ('{"city": ' * 30_000, ""),
    ],
)
def test_parameters_are_found_in_what_a_model_writes_or_given_up(
    bench: Any, reasoning_mode: str, written: str, city: str
) -> None:
    events = bench.run(extracting(reasoning_mode, model=model(answer=written)), {"said": "x"})
    outputs = told(events)["outputs"]
    assert (outputs["city"], outputs["__is_success"]) == (city, int(bool(city)))


def test_an_extractor_whose_model_fails_fails(bench: Any) -> None:
    events = bench.run(extracting(model=model(error="asleep")), {"said": "x"})
    assert (told(events)["status"], told(events)["error"]) == ("failed", "asleep")


SPY = "{{#env.KEY#}} and {{#sys.user_id#}}"


def prompts(bench: Any, definition: dict[str, Any], said: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Everything that the model is told in a run."""
    from engine.models.echo import EchoModel

    seen: list[str] = []
    answer = EchoModel.chunks

    def listen(self: Any, messages: Any, *rest: Any) -> Any:
        seen.extend(message.get_text_content() for message in messages)
        return answer(self, messages, *rest)

    monkeypatch.setattr(EchoModel, "chunks", listen)
    definition["environment_variables"] = [{"name": "KEY", "value_type": "string", "value": "hidden-value"}]
    assert told(bench.run(definition, {"said": said}))["status"] in ("succeeded", "partial-succeeded")
    return "\n".join(seen)


@pytest.mark.parametrize(
    "definition",
    [
        classifying(instruction="Mind {{#start.said#}}; code word {{#start.product#}}"),
        classifying(model=model("completion")),
        extracting(instruction="Mind {{#start.said#}}"),
        extracting("prompt", instruction="Mind {{#start.said#}}"),
        extracting("prompt", model=model("completion")),
    ],
)
def test_what_a_person_types_is_never_filled_in_as_a_reference(
    bench: Any, definition: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = prompts(bench, definition, SPY, monkeypatch)
    assert "{{ #env.KEY#}}" in shown
    assert "hidden-value" not in shown
    assert bench.caller.account_id not in shown


def test_a_second_attempt_does_not_fill_in_the_first_one_s_instruction(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    definition = classifying(
        instruction="Mind {{#start.said#}}",
        model=model(error="asleep", fail_times=1),
        retry_config={"retry_enabled": True, "max_retries": 1, "retry_interval": 1},
    )
    shown = prompts(bench, definition, SPY, monkeypatch)
    assert shown.count("Mind {{ #env.KEY#}}") >= 2
    assert "hidden-value" not in shown
