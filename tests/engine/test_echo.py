"""The echo model does what its script says, the same every time."""

from __future__ import annotations

import json
from typing import Any

import pytest
from graphon.model_runtime.entities.message_entities import (
    AssistantPromptMessage,
    ImagePromptMessageContent,
    PromptMessage,
    PromptMessageTool,
    SystemPromptMessage,
    ToolPromptMessage,
    UserPromptMessage,
)
from graphon.model_runtime.errors.invoke import InvokeBadRequestError, InvokeError, InvokeRateLimitError
from graphon.nodes.parameter_extractor import prompts as extractor
from graphon.nodes.question_classifier import template_prompts as classifier
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from engine.models.echo import EchoModel
from engine.models.registry import make_model
from engine.models.sample import sample
from engine.models.table import Bounds, load_table
from engine.running.cancel import Cancelled, CancelToken
from tests.engine.graphs import chain_document, chat_document, document, edge, end, llm, node

WEATHER = PromptMessageTool(name="weather", description="", parameters={"type": "object", "properties": {}})


def ask(
    said: str | list[PromptMessage], tools: list[PromptMessageTool] | None = None, **parameters: Any
) -> AssistantPromptMessage:
    """Ask an echo model once, without streaming."""
    messages = [UserPromptMessage(content=said)] if isinstance(said, str) else said
    model = EchoModel("p", "m", parameters, CancelToken())
    result = model.invoke_llm(prompt_messages=messages, model_parameters={}, tools=tools, stop=None, stream=False)
    message: AssistantPromptMessage = result.message
    return message


def pieces(said: str, **parameters: Any) -> list[Any]:
    model = EchoModel("p", "m", parameters, CancelToken())
    return list(
        model.invoke_llm(
            prompt_messages=[UserPromptMessage(content=said)], model_parameters={}, tools=None, stop=None, stream=True
        )
    )


def test_it_answers_what_the_user_said_word_by_word_with_the_usage_last() -> None:
    found = pieces("hello big world")
    assert [p.delta.message.content for p in found] == ["echo: ", "hello ", "big ", "world", ""]
    assert [p.delta.usage is not None for p in found] == [False] * 4 + [True]
    assert found[-1].delta.finish_reason == "stop"


@pytest.mark.parametrize(
    ("parameters", "answer"),
    [
        ({"answer": "Paris, {query}?"}, "Paris, hi?"),
        ({"chunks": 3}, "w0 w1 w2 "),
        ({"reasoning": "Let me see.", "answer": "42"}, "<think>Let me see.</think>\n42"),
        ({"json": {"a": [1]}}, '{"a": [1]}'),
    ],
)
def test_parameters_decide_the_answer(parameters: dict[str, Any], answer: str) -> None:
    assert ask("hi", **parameters).content == answer


def test_a_marker_in_the_prompt_wins_over_the_parameters_and_is_not_answered() -> None:
    assert ask("hi [[echo {chunks: 2}]]", chunks=5).content == "w0 w1 "
    assert ask('hi [[echo {"delay_ms": 1}]] you').content == "echo: hi you"
    told = [SystemPromptMessage(content="Be kind. [[echo {answer: yes indeed}]]"), UserPromptMessage(content="hi")]
    assert ask(told).content == "yes indeed"


def test_a_marker_of_an_earlier_turn_is_history_and_does_nothing() -> None:
    told = [
        UserPromptMessage(content="[[echo {error: boom}]]"),
        AssistantPromptMessage(content="echo:"),
        UserPromptMessage(content="again"),
    ]
    assert ask(told).content == "echo: again"


@pytest.mark.parametrize(
    ("marker", "told"),
    [
        ("{answr: x}", "does not know 'answr'"),
        ("{delay_ms: soon}", "'delay_ms'"),
        ("{a: [}", "cannot be read"),
        ("{chunks: -1}", "'chunks'"),
    ],
)
def test_a_script_that_cannot_be_used_is_refused_by_name(marker: str, told: str) -> None:
    with pytest.raises(InvokeBadRequestError, match=told):
        ask(f"hi [[echo {marker}]]")


@pytest.mark.parametrize(("after", "before"), [(0, 0), (2, 2), (None, 4)])
def test_it_fails_on_demand_at_once_after_some_pieces_or_after_all(after: int | None, before: int) -> None:
    model = EchoModel("p", "m", {"error": "asleep", "error_after": after, "error_kind": "rate_limit"}, CancelToken())
    stream = model.invoke_llm(
        prompt_messages=[UserPromptMessage(content="a b c")], model_parameters={}, tools=None, stop=None, stream=True
    )
    for _ in range(before):
        next(stream)
    with pytest.raises(InvokeRateLimitError, match="asleep"):
        next(stream)


def test_it_fails_a_number_of_times_and_then_answers() -> None:
    model = EchoModel("p", "m", {"error": "busy", "fail_times": 2}, CancelToken())

    def once() -> Any:
        return model.invoke_llm(
            prompt_messages=[UserPromptMessage(content="x")], model_parameters={}, tools=None, stop=None, stream=False
        ).message.content

    for _ in range(2):
        with pytest.raises(InvokeError, match="busy"):
            once()
    assert once() == "echo: x"


def test_it_calls_tools_in_the_first_turn_and_tells_their_results_in_the_next() -> None:
    script = {"tool_calls": [{"name": "weather", "arguments": {"city": "Bern"}}]}
    messages: list[PromptMessage] = [UserPromptMessage(content="How is it?")]
    first = ask(messages, [WEATHER], **script)
    assert [(c.function.name, json.loads(c.function.arguments)) for c in first.tool_calls] == [
        ("weather", {"city": "Bern"})
    ]
    messages += [first, ToolPromptMessage(content="sunny", tool_call_id=first.tool_calls[0].id)]
    second = ask(messages, [WEATHER], **script)
    assert (second.content, second.tool_calls) == ("echo: sunny", [])


def test_each_turn_can_have_a_script_of_its_own() -> None:
    script = {
        "turns": [
            {"tool_calls": [{"name": "weather"}]},
            {"reasoning": "More.", "tool_calls": [{"name": "weather", "arguments": "{broken"}]},
            {"answer": "Done."},
        ]
    }
    messages: list[PromptMessage] = [UserPromptMessage(content="How is it?")]
    for _ in range(2):
        answer = ask(messages, [WEATHER], **script)
        messages += [answer, ToolPromptMessage(content="x", tool_call_id=answer.tool_calls[0].id)]
    assert messages[3].content == "<think>More.</think>\n"
    assert messages[3].tool_calls[0].function.arguments == "{broken"  # type: ignore[attr-defined]
    assert messages[1].tool_calls[0].id != messages[3].tool_calls[0].id  # type: ignore[attr-defined]
    assert ask(messages, [WEATHER], **script).content == "Done."


def test_without_function_calling_it_acts_and_ends_in_the_words_of_react() -> None:
    script = {"tool_calls": [{"name": "weather", "arguments": {"city": "Bern"}}]}
    messages: list[PromptMessage] = [
        SystemPromptMessage(content='{"action": "Final Answer", ...}'),
        UserPromptMessage(content="How is it?"),
    ]
    action = str(ask(messages, **script).content)
    assert '{"action": "weather", "action_input": {"city": "Bern"}}' in action
    for answered in (
        [AssistantPromptMessage(content=action), UserPromptMessage(content="Observation: sunny")],
        [AssistantPromptMessage(content=f"{action}\nObservation: sunny\n")],
    ):
        final = str(ask([*messages, *answered], **script).content)
        assert '{"action": "Final Answer", "action_input": "echo: sunny"}' in final


def test_the_usage_can_be_set() -> None:
    last = pieces("x", usage={"prompt_tokens": 100, "completion_tokens": 7}, finish_reason="length")[-1].delta
    assert (last.usage.prompt_tokens, last.usage.completion_tokens, last.usage.total_tokens) == (100, 7, 107)
    assert last.finish_reason == "length"


def test_a_wait_ends_with_the_run() -> None:
    cancel = CancelToken()
    model = EchoModel("p", "m", {"first_delay_ms": 600_000}, cancel)
    cancel.trip("stopped")
    with pytest.raises(Cancelled):
        model.invoke_llm(
            prompt_messages=[UserPromptMessage(content="x")], model_parameters={}, tools=None, stop=None, stream=False
        )


def classifier_prompt(said: str) -> list[PromptMessage]:
    """The prompt that the engine's classifier node makes for a chat model."""
    categories = [
        {"category_id": "1", "category_name": "Refund of money"},
        {"category_id": "2", "category_name": "Opening hours"},
    ]
    return [
        SystemPromptMessage(content=classifier.QUESTION_CLASSIFIER_SYSTEM_PROMPT.format(histories="")),
        UserPromptMessage(content=classifier.QUESTION_CLASSIFIER_USER_PROMPT_1),
        AssistantPromptMessage(content=classifier.QUESTION_CLASSIFIER_ASSISTANT_PROMPT_1),
        UserPromptMessage(
            content=classifier.QUESTION_CLASSIFIER_USER_PROMPT_3.format(
                input_text=said, categories=json.dumps(categories), classification_instructions="none"
            )
        ),
    ]


@pytest.mark.parametrize(
    ("said", "category"),
    [
        ("What are your opening times?", "2"),
        ("I want a refund", "1"),
        ("Neither of them", "1"),
        ("I want a refund [[echo {category: Opening hours}]]", "2"),
        ("I want a refund [[echo {category: nowhere}]]", "nowhere"),
    ],
)
def test_a_classifier_is_answered_with_the_category_that_fits_or_is_told(said: str, category: str) -> None:
    answer = str(ask(classifier_prompt(said)).content)
    assert json.loads(answer.strip("`").removeprefix("json"))["category_id"] == category


PARAMETERS = {
    "type": "object",
    "properties": {
        "what": {"type": "string", "description": ""},
        "size": {"type": "string", "enum": ["small", "large"]},
        "count": {"type": "number"},
        "gift": {"type": "boolean"},
        "parts": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["what"],
}
FOUND = {"what": "3 Large pies, warm", "size": "large", "count": 3, "gift": True, "parts": ["3 Large pies", "warm"]}


def test_an_extractor_is_answered_from_the_text_by_call_or_by_json() -> None:
    tool = PromptMessageTool(name="extract_parameters", description="", parameters=PARAMETERS)
    structure = json.dumps(PARAMETERS)
    calling = extractor.FUNCTION_CALLING_EXTRACTOR_USER_TEMPLATE.format(content=FOUND["what"], structure=structure)
    call = ask(calling, [tool]).tool_calls[0]
    assert (call.function.name, json.loads(call.function.arguments)) == ("extract_parameters", FOUND)

    prompt = extractor.CHAT_GENERATE_JSON_USER_MESSAGE_TEMPLATE.format(text=FOUND["what"], structure=structure)
    assert json.loads(str(ask(prompt).content)) == FOUND
    assert json.loads(str(ask(prompt, json={"count": 9}).content)) == {**FOUND, "count": 9}
    assert json.loads(ask(calling, [tool], json={"count": 9}).tool_calls[0].function.arguments) == {**FOUND, "count": 9}


SCHEMAS = st.recursive(
    st.one_of(
        st.fixed_dictionaries({"type": st.sampled_from(["string", "boolean", "null", "number", "integer"])}),
        st.fixed_dictionaries(
            {"type": st.just("string"), "minLength": st.integers(0, 20), "maxLength": st.integers(20, 30)}
        ),
        st.fixed_dictionaries(
            {"type": st.just("integer"), "minimum": st.integers(-50, 5), "maximum": st.integers(6, 9)}
        ),
        st.fixed_dictionaries({"enum": st.lists(st.integers(), min_size=1)}),
        st.fixed_dictionaries({"const": st.text()}),
        st.fixed_dictionaries({"type": st.just(["null", "string"])}),
    ),
    lambda inner: st.one_of(
        st.fixed_dictionaries(
            {
                "type": st.just("object"),
                "properties": st.dictionaries(st.text(min_size=1), inner, max_size=3),
                "required": st.lists(st.sampled_from(["a", "b"]), unique=True),
            }
        ),
        st.fixed_dictionaries({"type": st.just("array"), "items": inner, "minItems": st.integers(0, 3)}),
        st.fixed_dictionaries({"anyOf": st.lists(inner, min_size=1, max_size=2)}),
        st.fixed_dictionaries({"allOf": st.lists(inner, min_size=1, max_size=1)}),
    ),
    max_leaves=6,
)


@given(SCHEMAS)
def test_a_sample_follows_its_schema(schema: dict[str, Any]) -> None:
    Draft7Validator(schema).validate(sample(schema))


def test_a_sample_follows_references_also_to_itself() -> None:
    schema = {
        "definitions": {
            "node": {"type": "object", "properties": {"next": {"$ref": "#/definitions/node"}, "n": {"type": "integer"}}}
        },
        "$ref": "#/definitions/node",
    }
    Draft7Validator(schema).validate(sample(schema))


def test_structured_output_follows_the_schema_and_can_be_told_or_broken(bench: Any) -> None:
    schema = {
        "type": "object",
        "properties": {"city": {"type": "string"}, "age": {"type": "integer", "minimum": 18}},
        "required": ["city", "age"],
        "additionalProperties": False,
    }

    def outcome(**script: Any) -> Any:
        asking = llm("llm", "Where?", **script)
        asking["data"] |= {"structured_output_enabled": True, "structured_output": {"schema": schema}}
        return bench.run(chain_document(asking, "structured_output"))[-1]["data"]

    assert outcome()["outputs"]["result"] == {"city": "sample", "age": 18}
    assert outcome(json={"city": "Bern", "age": 40})["outputs"]["result"] == {"city": "Bern", "age": 40}
    assert outcome(reasoning="Hm.")["outputs"]["result"] == {"city": "sample", "age": 18}
    broken = outcome(answer="no json")
    assert broken["status"] == "failed"
    assert "Failed to parse structured output" in broken["error"]
    assert "path=$.age" in outcome(json={"city": "Bern", "age": 3})["error"]


def test_thoughts_are_an_output_of_their_own_when_they_are_wanted_apart(bench: Any) -> None:
    asking = llm("llm", "Why?", reasoning="Because.", answer="So.")
    asking["data"]["reasoning_format"] = "separated"
    graph = [node("start", "start", variables=[]), asking, end(text=["llm", "text"], why=["llm", "reasoning_content"])]
    events = bench.run(document(graph, [edge("start", "llm"), edge("llm", "end")]))
    assert events[-1]["data"]["outputs"] == {"text": "So.", "why": "Because."}


def test_a_node_retries_a_model_that_fails_twice(bench: Any) -> None:
    definition = chat_document()
    definition["graph"]["nodes"][1] = llm("llm", error="busy", fail_times=2, error_kind="rate_limit")
    definition["graph"]["nodes"][1]["data"]["retry_config"] = {
        "retry_enabled": True, "max_retries": 2, "retry_interval": 100,
    }  # fmt: skip
    events = bench.run(definition)
    retries = [e["data"]["error"] for e in events if e["event"] == "node_retry"]
    assert retries == ["busy", "busy"]
    assert events[-1]["data"]["outputs"]["answer"] == "echo: hello big world"


def test_the_kind_of_a_failure_is_told_on_the_fail_branch(bench: Any) -> None:
    failing = llm("llm", "x", error="slow down", error_kind="rate_limit")
    failing["data"]["error_strategy"] = "fail-branch"
    nodes = [
        node("start", "start", variables=[]),
        failing,
        end("end", kind=["llm", "error_type"], text=["llm", "error_message"]),
    ]
    edges = [edge("start", "llm"), edge("llm", "end", "fail-branch")]
    last = bench.run(document(nodes, edges))[-1]["data"]
    assert last["outputs"] == {"kind": "InvokeRateLimitError", "text": "slow down"}


@pytest.mark.parametrize("marker", ["", "[[echo {chunks: 7, usage: {prompt_tokens: 5, completion_tokens: 2}}]]"])
def test_a_run_is_the_same_on_every_repetition(bench: Any, marker: str) -> None:
    def texts() -> list[str]:
        events = bench.run(chat_document(), query=f"one two three {marker}")
        return [e["answer"] for e in events if e["event"] == "message"]

    assert len({tuple(texts()) for _ in range(5)}) == 1


def test_a_question_whose_files_follow_in_a_message_of_their_own_is_answered_whole() -> None:
    picture = ImagePromptMessageContent(
        format="png", mime_type="image/png", url="https://x.test/a.png", filename="a.png"
    )
    earlier = [UserPromptMessage(content="before"), AssistantPromptMessage(content="yes")]
    asked = [*earlier, UserPromptMessage(content="what is it?"), UserPromptMessage(content=[picture])]
    assert ask(asked).content == "echo: what is it? [image a.png]"
    scripted = [UserPromptMessage(content="what? [[echo {answer: a cat}]]"), UserPromptMessage(content=[picture])]
    assert ask(scripted).content == "a cat"


def test_an_answer_is_no_longer_than_one_of_a_models_server_may_be() -> None:
    model = EchoModel("p", "m", {}, CancelToken())
    model.answer_bytes = 1000
    for repeated, fits in ((99, True), (101, False)):
        script = '[[echo {answer: "' + "{query}" * repeated + '"}]]'
        asked = {"prompt_messages": [UserPromptMessage(content=f"ten bytes! {script}")], "model_parameters": {}}
        if fits:
            told = model.invoke_llm(**asked, tools=None, stop=None, stream=False)
            assert told.message.content == "ten bytes!" * repeated
        else:
            with pytest.raises(InvokeBadRequestError, match="1000 bytes"):
                model.invoke_llm(**asked, tools=None, stop=None, stream=False)


def test_the_bound_of_answers_is_that_of_its_back_end() -> None:
    table = load_table(None, bounds=Bounds(answer_bytes=77))
    model = make_model(table, "echo", "echo", {}, CancelToken())
    assert isinstance(model, EchoModel)
    assert model.answer_bytes == 77
