"""Imported APIs and the order of a conversation's runs, on each database."""

from __future__ import annotations

from store import conversations, run_counts, runs, tools
from tests.world import World

DEFINITION = {"title": "T", "server": "https://x.example", "auth": {"kind": "none", "name": ""}, "operations": []}


def save(workspace_id: str, name: str, sealed: str | None = None) -> tools.Provider:
    return tools.save(workspace_id, name, definition=DEFINITION, source="-", sealed_credential=sealed)


def test_an_api_is_found_by_id_or_name_within_the_apps_workspace_only(world: World) -> None:
    mine, others = save(world.home.id, "Weather", "sealed"), save(world.away.id, "weather")
    for provider_id, name in ((mine.id, ""), ("", "WEATHER"), ("weather", ""), ("elsewhere", "Weather")):
        assert tools.for_worker_find(world.app.id, provider_id, name) == mine
    assert tools.for_worker_find(world.app.id, others.id, "") is None
    assert tools.for_worker_find(world.app.id, "", "") is None
    assert tools.for_worker_find(world.foreign_app.id, "", "weather") == others


def test_an_api_is_replaced_under_its_name_and_deleted(world: World) -> None:
    first = save(world.home.id, "Weather", "sealed")
    again = save(world.home.id, "weather")
    assert (again.id, again.name, again.sealed_credential) == (first.id, "weather", "sealed")
    assert [one.id for one in tools.for_operator_list_all(world.home.id)] == [first.id]
    assert tools.for_operator_delete(first.id)
    assert not tools.for_operator_delete(first.id)
    assert tools.for_operator_list_all() == []


def ask(world: World, conversation_id: str) -> tuple[runs.Run, str]:
    message = conversations.create_message(conversation_id, query="q", inputs={})
    run = runs.create(
        app_id=world.chat.id, version_id=world.chat.published_id or "", caller=world.owner_caller, inputs={},
        mode="advanced-chat", conversation_id=conversation_id, message_id=message.id, query="q",
    )  # fmt: skip
    return run, message.id


def test_a_run_waits_for_the_earlier_ones_of_its_conversation_alone(world: World) -> None:
    here = conversations.open(world.chat.id, world.owner_caller, {}, "here").id
    there = conversations.open(world.chat.id, world.owner_caller, {}, "there").id
    (first, first_message), (second, second_message) = ask(world, here), ask(world, here)
    other, _ = ask(world, there)
    assert [run_counts.ahead_of(run) for run in (first, second, other)] == [0, 1, 0]
    assert run_counts.unfinished_of(world.chat.id, here) == 2
    assert runs.first_of(world.owner_caller, world.chat.id, here) == first
    assert runs.first_of(world.other_caller, world.chat.id, here) is None
    assert [turn.id for turn in conversations.history(here, before=second_message)] == [first_message]
    assert conversations.message_count(here, before=second_message) == 1
    assert conversations.history(here, before=first_message) == []
    # One that waits for a person does not hold up the next question.
    assert runs.begin(first.id)
    assert runs.pause(first.id)
    assert run_counts.ahead_of(second) == 0
