"""Apps: who sees which, and pages that are complete and in order."""

from __future__ import annotations

import uuid

import pytest

from store import apps, workspaces
from store.refusal import Refusal
from tests.doubles import FakeClock
from tests.world import World, caller_of, make_app, mint_for


def refusal(caller: object, app_id: str) -> str:
    with pytest.raises(Refusal) as caught:
        apps.visible(caller, app_id)  # type: ignore[arg-type]
    return caught.value.code


def test_every_role_sees_the_apps_of_its_workspace(world: World) -> None:
    for account in world.members.values():
        assert apps.visible(caller_of(mint_for(account)), world.app.id).name == "Summary"


def test_a_stranger_learns_nothing(world: World) -> None:
    apps.set_access(world.app.id, "private")
    apps.set_api(world.app.id, False)
    for app_id in (world.app.id, world.chat.id, str(uuid.uuid4()), "not-a-uuid", "", "\x00"):
        assert refusal(world.other_caller, app_id) == "not_found"


def test_a_disabled_api_says_so_to_members_only(world: World) -> None:
    apps.set_api(world.app.id, False)
    assert refusal(world.owner_caller, world.app.id) == "service_api_disabled"
    assert world.app.id not in [app.id for app in apps.page(world.owner_caller, world.home.id)[0]]


def test_ids_are_found_in_any_spelling(world: World) -> None:
    assert apps.visible(world.owner_caller, world.app.id.upper().replace("-", "")).id == world.app.id


@pytest.mark.parametrize(
    ("mode", "external"),
    [("public", True), ("sso_verified", True), ("private_all", False), ("private", False)],
)
def test_the_access_mode_decides_for_external_subjects(world: World, mode: str, external: bool) -> None:
    apps.set_access(world.app.id, mode, ["guest@partner.example"])
    listed = [app.id for app in apps.permitted(world.external_caller)[0]]
    assert (world.app.id in listed) is external
    if external:
        assert apps.visible(world.external_caller, world.app.id).id == world.app.id
    else:
        assert refusal(world.external_caller, world.app.id) == "not_found"


def test_a_private_app_is_for_its_author_and_its_list(world: World) -> None:
    member, editor = (caller_of(mint_for(world.members[role])) for role in ("normal", "editor"))
    apps.set_access(world.app.id, "private", ["NORMAL@example.com", "other@example.com"])
    assert apps.visible(world.owner_caller, world.app.id)
    assert apps.visible(member, world.app.id)
    assert refusal(editor, world.app.id) == "access_mode_denied"
    assert refusal(world.other_caller, world.app.id) == "not_found"  # on the list, but not a member
    apps.set_access(world.app.id, "private")
    assert refusal(member, world.app.id) == "access_mode_denied"


def test_what_strangers_are_shown_has_neither_tags_nor_author(world: World) -> None:
    rows, total = apps.permitted(world.external_caller)
    assert total == 1
    assert rows[0].id == world.public_app.id
    assert (rows[0].tags, rows[0].author_name, rows[0].workspace_name) == ((), None, "Away")
    with pytest.raises(Refusal):
        apps.permitted(world.owner_caller)


def test_an_archived_workspace_takes_its_apps_with_it(world: World) -> None:
    workspaces.set_status(world.away.id, "archive")
    assert refusal(world.other_caller, world.foreign_app.id) == "not_found"
    assert refusal(world.external_caller, world.public_app.id) == "not_found"
    assert apps.permitted(world.external_caller) == ([], 0)
    with pytest.raises(Refusal):
        apps.page(world.other_caller, world.away.id)


@pytest.mark.parametrize("workspace", ["", "x", "00000000-0000-0000-0000-000000000000", "\x00"])
def test_a_workspace_that_is_not_ones_own_is_not_found(world: World, workspace: str) -> None:
    for caller, one in (
        (world.owner_caller, workspace),
        (world.owner_caller, world.away.id),
        (world.external_caller, world.home.id),
    ):
        with pytest.raises(Refusal) as caught:
            apps.page(caller, one)
        assert caught.value.code == "not_found"


def names(world: World, **filters: object) -> list[str]:
    rows, total = apps.page(world.owner_caller, world.home.id, **filters)  # type: ignore[arg-type]
    assert total == len(rows)
    return [app.name for app in rows]


def test_names_match_as_literal_text_in_any_case(world: World) -> None:
    for name in ("100% Öl_Ä", "100 Prozent", "Straße\\n", "ΣΊΣΥΦΟΣ"):
        make_app(world.home.id, world.owner.id, name)
    assert names(world, name="0% öL_ä") == ["100% Öl_Ä"]
    assert names(world, name="STRASSE") == ["Straße\\n"]
    assert names(world, name="\\") == ["Straße\\n"]
    assert names(world, name="σίσυφος") == ["ΣΊΣΥΦΟΣ"]
    assert names(world, name="_") == names(world, name="%") == ["100% Öl_Ä"]
    assert names(world, name="Summary\x00") == names(world, name=".*") == names(world, name="' OR 1=1 --") == []
    assert len(names(world, name="")) == 6


def test_a_uuid_as_name_finds_that_app_and_keeps_the_other_filters(world: World) -> None:
    assert names(world, name=world.app.id.upper()) == ["Summary"]
    assert names(world, name=world.app.id, mode="advanced-chat") == []
    assert names(world, name=world.foreign_app.id) == []


def test_tags_and_modes_filter_exactly(world: World) -> None:
    assert names(world, tag="demo") == ["Summary"]
    assert names(world, tag="Demo") == names(world, tag="dem") == names(world, tag="demo\x00") == []
    assert names(world, mode="advanced-chat") == ["Chat"]
    assert names(world, mode="channel") == []
    assert len(names(world, tag="", mode="", name=None)) == 2


def test_pages_are_newest_first_without_gap_or_repeat(world: World, clock: FakeClock) -> None:
    for n in range(10):
        make_app(world.home.id, world.owner.id, f"App {n}", tags=[f"tag {n}"])
        clock.advance(n % 2)
    pages = [apps.page(world.owner_caller, world.home.id, page=n, limit=5) for n in (1, 2, 3, 4, 2**70)]
    assert [total for _, total in pages] == [12] * 5
    listed = [app for rows, _ in pages for app in rows]
    assert [(app.created_at, app.id) for app in listed] == sorted(
        {(app.created_at, app.id) for app in listed}, reverse=True
    )
    assert len(listed) == 12
    assert listed[0].tags == ("tag 9",)


def test_a_draft_changes_and_the_published_version_does_not(world: World) -> None:
    published = apps.version(world.app.id, None)
    assert published is not None
    assert not published.is_draft
    assert published.id == world.app.published_id
    assert apps.save_draft(
        world.app.id,
        definition={"mode": "workflow", "new": True},
        source="new",
        name="Renamed",
        tags=["b", "a"],
    )
    assert apps.version(world.app.id, None) == published
    draft = apps.draft(world.app.id)
    assert draft is not None
    assert draft.is_draft
    assert draft.definition["new"]
    second = apps.publish(world.app.id)
    app = apps.visible(world.owner_caller, world.app.id)
    assert (app.published_id, app.name, app.tags) == (second, "Renamed", ("b", "a"))
    assert apps.version(world.app.id, published.id) == published
    assert apps.version(world.chat.id, published.id) is None
    assert apps.version(world.app.id, "x") is None


def test_an_app_that_was_never_published_has_no_version(world: World) -> None:
    made = apps.create(world.home.id, None, name="Draft", mode="chat", definition={}, source="")
    assert apps.version(made.id, None) is None
    assert apps.visible(world.owner_caller, made.id).author_name is None


def test_a_deleted_app_is_gone_everywhere(world: World) -> None:
    assert apps.delete(world.public_app.id)
    assert not apps.delete(world.public_app.id)
    assert refusal(world.other_caller, world.public_app.id) == "not_found"
    assert apps.permitted(world.external_caller)[1] == 0
    assert apps.for_operator_get(world.public_app.id) is None
    with pytest.raises(Refusal):
        apps.publish(world.public_app.id)
