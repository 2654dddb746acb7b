"""Sealing what is stored, and changing the server's key: cut off at any step and begun again, everything opens."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

import store.apps
import store.runs
import store.tools
from engine.definition import author_secrets
from engine.definition.reading import load
from engine.forms.links import FormLinks
from engine.running import resealing
from engine.running.sealing import SealBroken, Sealer
from store import checkpoints, db, forms, mails, sealed, sql
from store.checkpoints import Halt
from store.clock import current, current_ids
from store.forms import Draft
from store.mails import MailDraft
from tests.engine.damage import KEYED, flow_of
from tests.world import World, make_app

OLD, NEW = "o" * 32, "n" * 32
BEFORE, BOTH, AFTER = Sealer(OLD), Sealer(NEW, [OLD]), Sealer(NEW)
LINKS = FormLinks(NEW, "http://x")
TEXT = json.dumps(flow_of("workflow", *KEYED))
PLANTED = ("k-authorization", "k-header", "k-query", "k-agent")


class Killed(BaseException):
    """The process is gone."""


def nothing(what: str, done: int, of: int) -> None:
    pass


@pytest.fixture
def kill_at(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """End whatever writes at its n-th write, before it or right after it."""
    real = {name: getattr(sealed, name) for name in ("replace", "reach")}
    writes = {"left": 10**9, "before": True}

    def counted(name: str) -> Any:
        def write(*args: Any, **options: Any) -> Any:
            writes["left"] -= 1
            if writes["left"] == 0 and writes["before"]:
                raise Killed
            made = real[name](*args, **options)
            if writes["left"] == 0:
                raise Killed
            return made

        return write

    for name in real:
        monkeypatch.setattr(sealed, name, counted(name))

    def at(number: int, before: bool) -> None:
        writes.update(left=number, before=before)

    return at


def stored_texts() -> str:
    @db.reads
    def all_rows() -> Any:
        return sql.rows("SELECT definition, source FROM versions")

    return json.dumps([list(row) for row in all_rows()])


def clear_apps(world: World, count: int) -> list[str]:
    """Apps as earlier versions stored them: secret variables sealed, keys in settings in the clear."""
    made = []
    for number in range(count):
        document = load(TEXT).document
        variables = author_secrets.sealed({"environment_variables": document["environment_variables"]}, BEFORE)
        document["environment_variables"] = variables["environment_variables"]
        app = make_app(world.home.id, world.owner.id, f"Clear {number}", definition_of=document)
        store.apps.save_draft(app.id, definition=document, source=TEXT)
        made.append(app.id)
    return made


def opens(app_id: str, sealer: Sealer) -> bool:
    version = store.apps.version(app_id, None)
    assert version is not None
    clear = author_secrets.opened(version.definition, sealer)
    clear.pop("keys", None)
    return bool(clear == load(TEXT).document)


@pytest.mark.parametrize("before", [True, False])
def test_a_pass_that_seals_stored_keys_and_is_killed_at_any_write_is_completed_by_the_next(
    world: World, kill_at: Any, before: bool
) -> None:
    apps = clear_apps(world, 3)
    assert all(key in stored_texts() for key in PLANTED)
    kills = 0
    for number in range(1, 20):
        kill_at(number if number < 4 else 2, before)
        try:
            resealing.seal_stored(BEFORE, nothing)
        except Killed:
            kills += 1
            continue
        break
    kill_at(10**9, before)
    assert resealing.seal_stored(BEFORE, nothing) == 0
    assert kills > 2
    assert sealed.place(resealing.SETTINGS) is None
    assert [key for key in PLANTED if key in stored_texts()] == []
    assert all(opens(app, BEFORE) for app in apps)


def test_a_pass_that_is_over_reads_nothing_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    resealing.seal_stored(BEFORE, nothing)
    monkeypatch.setattr(sealed, "rows", lambda *_: pytest.fail("all was read again"))
    assert resealing.seal_stored(BEFORE, nothing) == 0


def test_a_version_that_somebody_changes_meanwhile_is_theirs(world: World) -> None:
    (app_id,) = clear_apps(world, 1)
    ((key, row),) = [found for found in sealed.rows(sealed.VERSIONS) if found[1][1] == TEXT][:1]
    store.apps.save_draft(app_id, definition={"mode": "workflow"}, source="theirs")
    assert sealed.replace(sealed.VERSIONS, key, row, ["{}", "mine"]) is False


@db.writes
def put(statement: str, *values: object) -> None:
    sql.change(statement, *values)


@pytest.mark.parametrize("before", [True, False])
def test_a_change_of_the_key_that_is_killed_at_any_write_is_completed_by_the_next(
    world: World, kill_at: Any, before: bool
) -> None:
    apps = clear_apps(world, 2)
    resealing.seal_stored(BEFORE, nothing)
    credential = BEFORE.seal("credential")
    store.tools.save(world.home.id, "w", definition={}, source="-", sealed_credential=credential)
    values = author_secrets.kept(
        {"v": "s3cret-of-the-author"}, author_secrets.opened(_document(apps[0]), BEFORE), BEFORE
    )
    put(
        "INSERT INTO conversations (id, app_id, subject, name, inputs, variables, created_at, updated_at)"
        " VALUES ('c', ?, 's', 'n', '{}', ?, 1, 1)", apps[0], sql.to_json(values),
    )  # fmt: skip
    assert sum(resealing.under_old_keys(BOTH, LINKS).values()) == 6
    kills = 0
    for number in range(1, 50):
        kill_at(number if number < 3 else 2, before)
        try:
            counts = resealing.rotate(BOTH, LINKS, nothing)
        except Killed:
            kills += 1
            # At every moment in between both keys open everything.
            assert all(opens(app, BOTH) for app in apps)
            continue
        break
    assert kills > 2
    assert {lost for _, lost in counts.values()} == {0}
    assert all(opens(app, AFTER) for app in apps)
    assert not any(_opens_still(app) for app in apps)
    (provider,) = [row for _, row in sealed.rows(sealed.TOOLS)]
    assert AFTER.unseal(provider[0]) == "credential"
    ((_, kept),) = list(sealed.rows(sealed.CONVERSATIONS))
    assert author_secrets.recalled(json.loads(kept[0]), AFTER) == {"v": "s3cret-of-the-author"}
    assert sum(resealing.under_old_keys(AFTER, LINKS).values()) == 0


def _document(app_id: str) -> dict[str, Any]:
    version = store.apps.version(app_id, None)
    assert version is not None
    return version.definition


def _opens_still(app_id: str) -> bool:
    try:
        BEFORE.unseal(_document(app_id)["sealed"])
    except SealBroken:
        return False
    return True


def test_what_no_key_opens_is_counted_and_left_as_it_is(world: World) -> None:
    lost = Sealer("another").seal("x")
    store.tools.save(world.home.id, "w", definition={}, source="-", sealed_credential=lost)
    assert resealing.rotate(BOTH, LINKS, nothing)["tools"] == (0, 1)
    ((_, row),) = list(sealed.rows(sealed.TOOLS))
    assert row == [lost]


def waiting_run(world: World, links: FormLinks, *addresses: str) -> tuple[str, str]:
    """A run that waits for a person, as a server leaves it that has the old key; out: its id, and that of its form."""
    run = store.runs.create(
        app_id=world.app.id, version_id="v", caller=world.owner_caller, inputs={}, mode="workflow", worker="w"
    )
    store.runs.begin(run.id, "w")
    form_id, now = current_ids().uuid7(), current().now()
    mailed = tuple(MailDraft(one, links.address_hash(form_id, one), "Subject", "Body") for one in addresses)
    draft = Draft(form_id, "e", "n", links.token_hash(form_id), {"inputs": []}, now, now + timedelta(hours=1), mailed)
    assert (
        checkpoints.pause(Halt(run.id, "w", BEFORE.seal(f"state of {run.id}"), 1, [], ["e"], [draft], {})) == "paused"
    )
    return run.id, form_id


@pytest.mark.parametrize("before", [True, False])
def test_a_change_of_the_key_takes_runs_that_wait_along_with_their_forms_and_mails(
    world: World, kill_at: Any, before: bool
) -> None:
    old = FormLinks(OLD, "http://x")
    made = [waiting_run(world, old, "a@x.example", "b@x.example") for _ in range(2)]
    run_id, form_id = made[0]
    mails.settle(old.address_hash(form_id, "b@x.example"), "sent")
    decided = waiting_run(world, old)[1]
    forms.answer(decided, {"action": "a", "inputs": {}}, "test", "w", 30, lambda: None)
    counts = resealing.under_old_keys(BOTH, LINKS)
    assert (counts["runs that can go on"], counts["forms that wait"], counts["mails that wait"]) == (3, 2, 3)
    kills = 0
    for number in range(1, 50):
        kill_at(number if number < 3 else 2, before)
        try:
            resealing.rotate(BOTH, LINKS, nothing)
        except Killed:
            kills += 1
            assert BOTH.unseal(_checkpoint(run_id)) == f"state of {run_id}"
            continue
        break
    assert kills > 2
    assert sum(resealing.under_old_keys(AFTER, LINKS).values()) == 0
    for run, form in made:
        assert AFTER.unseal(_checkpoint(run)) == f"state of {run}"
        opened = forms.by_token_hash(LINKS.token_hash(form))
        assert opened is not None
        assert opened.id == form
        assert forms.by_token_hash(old.token_hash(form)) is None, "the link of the old key opens it no more"
        by_mail = forms.by_token_hash(LINKS.address_hash(form, "a@x.example"))
        assert by_mail is not None
        assert by_mail.id == form
    sent = forms.by_token_hash(old.address_hash(form_id, "b@x.example"))
    assert sent is not None, "a link that was mailed opens its form still"
    assert {one.token_hash for one in mails.claim()} == {
        LINKS.address_hash(form_id, "a@x.example"),
        *(LINKS.address_hash(made[1][1], one) for one in ("a@x.example", "b@x.example")),
    }


def _checkpoint(run_id: str) -> str:
    found = checkpoints.get(run_id)
    assert found is not None
    return found.sealed
