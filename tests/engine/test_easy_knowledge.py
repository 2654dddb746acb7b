"""Apps without a workflow that look things up: what the model is told, and what the answer rests on."""

from __future__ import annotations

import json
from typing import Any

import pytest

from store import conversations, datasets
from tests.engine.conftest import Bench
from tests.engine.test_agents import agent, thoughts
from tests.engine.test_easy_modes import answer, config, easy, names
from tests.engine.test_knowledge import OPENING, TICKETS, asking

FRAME = "Answer from the passages between <context> and </context>; if they do not hold the answer, say so.\n"
TOLD = f"{FRAME}<context>\n{OPENING}\n</context>"
QUESTION = "When does the museum open?"


@pytest.fixture
def visitors(bench: Bench) -> datasets.Dataset:
    made = datasets.create(bench.workspace_id, "Visitors", description="hours and prices", aliases=["foreign-id"])
    datasets.put_document(made.id, "museum.md", [OPENING, TICKETS])
    datasets.put_document(made.id, "bees.md", ["Bees dance in the hive.", "{{#sys.user_id#}} {{name}} sleeps."])
    return made


def uses(*names: str, **settings: Any) -> dict[str, Any]:
    """The part of a model configuration that names datasets."""
    listed = [{"dataset": {"enabled": True, "id": name}} for name in names]
    return {"dataset_configs": {"retrieval_model": "multiple", "datasets": {"datasets": listed}, **settings}}


def resources(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = events[-1]["metadata"]["retriever_resources"]
    return found


def advanced(*messages: tuple[str, str]) -> dict[str, Any]:
    prompt = [{"role": role, "text": text} for role, text in messages]
    return {"prompt_type": "advanced", "chat_prompt_config": {"prompt": prompt}}


def test_a_chat_is_told_what_was_found_and_says_what_it_rests_on(
    bench: Bench, visitors: datasets.Dataset, prompts: Any
) -> None:
    run = bench.start(bench.app(easy("chat", "Be kind.", **uses("foreign-id"))), query=QUESTION)
    events = bench.events(run)
    assert prompts == [[("system", f"Be kind.\n\n{TOLD}"), ("user", QUESTION)]]
    assert set(names(events)) == {"message", "message_end"}
    (cited,) = resources(events)
    assert {name: cited[name] for name in ("position", "dataset_id", "document_name", "content", "title")} == {
        "position": 1,
        "dataset_id": visitors.id,
        "document_name": "museum.md",
        "content": OPENING,
        "title": "museum.md",
    }
    kept = conversations.history(run.conversation_id or "")[0]
    assert kept.metadata["retriever_resources"] == resources(events)


def test_an_app_that_shows_no_citations_is_told_all_the_same(
    bench: Bench, visitors: datasets.Dataset, prompts: Any
) -> None:
    quiet = {"retriever_resource": {"enabled": False}}
    events = bench.run(easy("chat", "", **uses("foreign-id"), **quiet), query=QUESTION)
    assert resources(events) == []
    assert prompts == [[("system", TOLD), ("user", QUESTION)]]


def test_nothing_found_leaves_the_prompt_as_the_author_wrote_it(
    bench: Bench, visitors: datasets.Dataset, prompts: Any
) -> None:
    assert resources(bench.run(easy("chat", "Be kind.", **uses("foreign-id")), query="zeppelin")) == []
    bench.run(easy("chat", "", **uses("foreign-id")), query="zeppelin")
    assert prompts == [[("system", "Be kind."), ("user", "zeppelin")], [("user", "zeppelin")]]


@pytest.mark.parametrize(
    ("prompt", "told"),
    [
        ({"pre_prompt": "Read: {{#context#}}. Yes."}, [("system", f"Read: {OPENING}. Yes."), ("user", QUESTION)]),
        (advanced(("system", "Read: {{#context#}}")), [("system", f"Read: {OPENING}"), ("user", QUESTION)]),
        (
            advanced(("system", "S"), ("user", "{{#context#}} | {{#query#}}")),
            [("system", "S"), ("user", f"{OPENING} | {QUESTION}")],
        ),
        (
            advanced(("system", "S"), ("user", "Q: {{#query#}}")),
            [("system", f"S\n\n{TOLD}"), ("user", f"Q: {QUESTION}")],
        ),
        (advanced(("user", "Q: {{#query#}}")), [("system", TOLD), ("user", f"Q: {QUESTION}")]),
    ],
)  # fmt: skip
def test_the_passages_stand_where_the_author_wants_them_else_after_the_system_prompt(
    bench: Bench, visitors: datasets.Dataset, prompts: Any, prompt: dict[str, Any], told: list[tuple[str, str]]
) -> None:
    definition = {"mode": "chat", "model_config": {**config(**uses("foreign-id")), **prompt}}
    assert len(resources(bench.run(definition, query=QUESTION))) == 1
    assert prompts == [told]


FORM = [{"paragraph": {"variable": "topic", "label": "Topic", "required": False}}]


@pytest.mark.parametrize(
    ("variable", "inputs", "query", "found"),
    [
        ("topic", {"topic": QUESTION}, None, [OPENING]),
        ("topic", {"topic": QUESTION}, "ticket", [OPENING]),
        ("", {"topic": QUESTION}, "ticket", [TICKETS]),
        ("topic", {}, "ticket", []),
    ],
)
def test_a_completion_looks_up_the_input_that_its_author_chose(
    bench: Bench, visitors: datasets.Dataset, prompts: Any, variable: str, inputs: Any, query: Any, found: list[str]
) -> None:
    body = {} if query is None else {"query": query}
    definition = easy("completion", "Write.", FORM, dataset_query_variable=variable, **uses("Visitors"))
    events = bench.run(definition, inputs, **body)
    assert [one["content"] for one in resources(events)] == found
    assert [text in str(prompts) for text in (OPENING, TICKETS)] == [text in found for text in (OPENING, TICKETS)]


@pytest.mark.parametrize(
    ("settings", "found"),
    [({}, 2), ({"top_k": 1}, 1), ({"score_threshold_enabled": True, "score_threshold": 0.99}, 0),
     ({"score_threshold_enabled": False, "score_threshold": 0.99}, 2), ({"score_threshold": 0.99}, 2),
     ({"top_k": float("inf")}, 2)],
)  # fmt: skip
def test_the_number_and_the_least_score_are_the_authors(
    bench: Bench, visitors: datasets.Dataset, settings: dict[str, Any], found: int
) -> None:
    assert len(resources(bench.run(easy("chat", "", **uses("Visitors", **settings)), query="museum tickets"))) == found


@pytest.mark.parametrize("mode", ["chat", "completion"])
def test_older_definitions_list_datasets_among_the_agents_tools(
    bench: Bench, visitors: datasets.Dataset, mode: str
) -> None:
    tools = [{"dataset": {"enabled": True, "id": "foreign-id"}}, {"dataset": {"enabled": False, "id": "gone"}}]
    old = {"agent_mode": {"enabled": True, "strategy": "router", "tools": tools}}
    assert len(resources(bench.run(easy(mode, "x", **old), query=QUESTION))) == 1
    off = {"agent_mode": {**old["agent_mode"], "enabled": False}}
    assert resources(bench.run(easy(mode, "x", **off), query=QUESTION)) == []


@pytest.mark.parametrize("mode", ["chat", "completion", "agent-chat"])
def test_without_the_dataset_the_error_says_how_to_add_it(bench: Bench, mode: str) -> None:
    run = bench.start(bench.app(easy(mode, "x", **uses("9f1c-abc"))), query="x")
    last = bench.events(run)[-1]
    assert (last["event"], last["code"], last["status"]) == ("error", "app_unavailable", 400)
    assert "The dataset '9f1c-abc' is not on this server" in last["message"]
    assert "difyspec datasets create NAME --for 9f1c-abc" in last["message"]
    assert bench.stored(run).status == "failed"


@pytest.mark.parametrize("mode", ["chat", "completion", "agent-chat"])
def test_filters_on_metadata_are_refused_where_they_would_matter(
    bench: Bench, visitors: datasets.Dataset, mode: str
) -> None:
    conditions = {"conditions": [{"name": "author", "comparison_operator": "is"}]}
    filters = {"metadata_filtering_mode": "manual", "metadata_filtering_conditions": conditions}
    last = bench.run(easy(mode, "x", **uses("Visitors", **filters)), query="museum")[-1]
    assert "Filters on metadata" in last["message"]


def test_what_a_document_says_is_never_a_template(bench: Bench, visitors: datasets.Dataset, prompts: Any) -> None:
    name = [{"text-input": {"variable": "name", "label": "Name", "required": True}}]
    bench.run(easy("chat", "Read {{#context#}}", name, **uses("Visitors")), {"name": "Bea"}, query="sleeps")
    bench.run(asking(["Visitors"]), query="sleeps")
    assert prompts[0][0] == ("system", "Read {{#sys.user_id#}} {{name}} sleeps.")
    assert prompts[1] == [("user", "{{ #sys.user_id#}} {{name}} sleeps. | sleeps")]


def test_what_was_found_takes_its_part_of_the_context_before_what_was_said(
    bench: Bench, prompts: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.models.base.BaseModelAdapter.context_tokens", 450)
    made = datasets.create(bench.workspace_id, "Long")
    datasets.put_document(made.id, "long.md", ["museum " + "word " * 120])
    app = bench.app(easy("chat", "", **uses("Long")))
    first = bench.start(app, query="zeppelin " + "a" * 100)
    bench.events(first)
    for query in ("zeppelin", "museum"):
        bench.events(bench.start(app, query=query, conversation_id=first.conversation_id))
    assert [[text[:8] for role, text in prompt if role == "user"] for prompt in prompts] == [
        ["zeppelin"], ["zeppelin", "zeppelin"], ["zeppelin", "museum"],
    ]  # fmt: skip


@pytest.mark.parametrize("strategy", ["function_call", "react"])
@pytest.mark.parametrize("by", ["configs", "tools"])
def test_an_agent_has_a_dataset_as_a_tool(bench: Bench, visitors: datasets.Dataset, strategy: str, by: str) -> None:
    tool = f"dataset_{visitors.id.replace('-', '_')}"
    script = {"tool_calls": [{"name": tool, "arguments": {"query": QUESTION}}]}
    listed = [{"dataset": {"enabled": True, "id": "foreign-id"}}] if by == "tools" else []
    named = uses("foreign-id", "Visitors") if by == "configs" else {}
    run = bench.start(bench.app(agent(script, *listed, strategy=strategy, **named)), query="Hours?")
    events = bench.events(run)
    assert answer(events) == f"echo: {OPENING}"
    observed = next(one for one in thoughts(events) if one["observation"])
    assert json.loads(observed["observation"]) == {tool: OPENING}
    assert observed["tool_labels"][tool]["en_US"] == "Visitors"
    (cited,) = resources(events)
    assert (cited["content"], cited["position"], cited["word_count"]) == (OPENING, 1, 5)
    assert conversations.history(run.conversation_id or "")[0].metadata["retriever_resources"] == [cited]


def test_an_agent_is_told_that_nothing_was_found(bench: Bench, visitors: datasets.Dataset) -> None:
    script = {"tool_calls": [{"name": f"dataset_{visitors.id.replace('-', '_')}", "arguments": {"query": "zeppelin"}}]}
    events = bench.run(agent(script, **uses("Visitors")), query="Hours?")
    assert (answer(events), resources(events)) == ("echo: Nothing was found.", [])


@pytest.fixture
def two(bench: Bench) -> list[datasets.Dataset]:
    """Two datasets that both know the word."""
    made = [datasets.create(bench.workspace_id, name, description=f"all about {name}") for name in ("Bees", "Museum")]
    for one in made:
        datasets.put_document(one.id, "a.md", [f"hours of the {one.name}"])
    return made


def choosing(script: dict[str, Any], *names: str, mode: str) -> dict[str, Any]:
    """An app whose model is to choose one of the datasets; in a workflow a model of its own."""
    if mode != "workflow":
        return easy(mode, "x", parameters=script, **uses(*names, retrieval_model="single"))
    definition = asking(list(names))
    looks = next(node for node in definition["graph"]["nodes"] if node["data"]["type"] == "knowledge-retrieval")["data"]
    model = {"provider": "echo", "name": "echo", "mode": "chat", "completion_params": script}
    looks |= {"retrieval_mode": "single", "single_retrieval_config": {"model": model}}
    return definition


@pytest.mark.parametrize("mode", ["chat", "completion", "workflow"])
@pytest.mark.parametrize(
    ("call", "found"), [("Museum", ["Museum"]), ("nowhere", ["Bees", "Museum"]), ("", ["Bees", "Museum"])]
)
def test_a_model_may_choose_the_dataset_that_is_searched(
    bench: Bench, two: list[datasets.Dataset], mode: str, call: str, found: list[str]
) -> None:
    ids = {one.name: f"dataset_{one.id.replace('-', '_')}" for one in two}
    script = {"tool_calls": [{"name": ids.get(call, call), "arguments": {"query": "x"}}]} if call else {}
    events = bench.run(choosing(script, "Bees", "Museum", mode=mode), query="hours")
    message = next(event for event in events if event["event"] == "message_end")
    assert sorted(one["dataset_name"] for one in message["metadata"]["retriever_resources"]) == found


@pytest.mark.parametrize(("names", "asked"), [(["Bees"], 1), (["Bees", "Museum"], 2)])
def test_a_choice_is_asked_for_only_where_there_is_one_and_its_tokens_count(
    bench: Bench, two: list[datasets.Dataset], prompts: Any, names: list[str], asked: int
) -> None:
    events = bench.run(choosing({"usage": {"prompt_tokens": 100}}, *names, mode="chat"), query="hours")
    assert len(prompts) == asked
    assert events[-1]["metadata"]["usage"]["prompt_tokens"] == 100 * asked


def test_a_model_without_tools_names_the_dataset(
    bench: Bench, two: list[datasets.Dataset], monkeypatch: pytest.MonkeyPatch, prompts: Any
) -> None:
    monkeypatch.setattr("engine.models.base.BaseModelAdapter.features", ())
    events = bench.run(choosing({"json": {"dataset": "Museum"}}, "Bees", "Museum", mode="chat"), query="hours")
    assert [one["dataset_name"] for one in resources(events)] == ["Museum"]
    assert prompts[0][0][1].endswith("- Bees: all about Bees\n- Museum: all about Museum")
    both = bench.run(choosing({"answer": "I cannot say"}, "Bees", "Museum", mode="chat"), query="hours")
    assert len(resources(both)) == 2


def test_a_model_that_cannot_choose_fails_the_run(bench: Bench, two: list[datasets.Dataset]) -> None:
    events = bench.run(choosing({"error": "asleep"}, "Bees", "Museum", mode="chat"), query="hours")
    assert (events[-1]["event"], events[-1]["code"]) == ("error", "completion_request_error")
    assert "asleep" in events[-1]["message"]
