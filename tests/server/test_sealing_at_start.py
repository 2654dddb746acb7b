"""Keys that an earlier version stored in the clear: after the first start they are in no file of the server."""

from __future__ import annotations

import json
from pathlib import Path

import store
import store.apps
from engine.definition import author_secrets
from engine.definition.reading import load
from engine.running.sealing import Sealer
from server.lifespan import resources
from tests.engine.damage import KEYED, flow_of
from tests.server.conftest import settings_in
from tests.world import build, make_app

KEY = "k" * 32
TEXT = json.dumps(flow_of("workflow", *KEYED))
PLANTED = (
    b"k-authorization",
    b"k-header",
    b"k-bearer",
    b"k-query",
    b"k-param",
    b"k-form",
    b"k-configuration",
    b"k-agent",
)


def clear_in(folder: Path) -> list[bytes]:
    """The planted keys that the raw bytes of any file hold, the database's journal too."""
    whole = b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())
    return [key for key in PLANTED if key in whole]


def test_a_start_wipes_keys_that_were_stored_in_the_clear_from_the_database_and_its_journal(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, secret_key=KEY)
    document = load(TEXT).document
    variables = author_secrets.sealed({"environment_variables": document["environment_variables"]}, Sealer(KEY))
    as_it_was = {**document, "environment_variables": variables["environment_variables"]}
    store.open(settings.store_url)
    world = build()
    apps = [make_app(world.home.id, world.owner.id, f"App {number}", definition_of=as_it_was) for number in range(3)]
    for app in apps:
        store.apps.save_draft(app.id, definition=as_it_was, source=TEXT)
    store.close()
    assert clear_in(tmp_path) == list(PLANTED)

    with resources(settings):
        assert clear_in(tmp_path) == []
        version = store.apps.version(apps[0].id, None)
        assert version is not None
        opened = author_secrets.opened(version.definition, Sealer(KEY))
        assert opened["graph"] == document["graph"]
    assert clear_in(tmp_path) == []


STRANGE = (
    "-",
    "text",
    "[]",
    "workflow: []",
    "workflow: {environment_variables: 3}",
    "workflow: {environment_variables: [x, {value_type: secret}, 3]}",
    "workflow: {environment_variables: {a: b}, graph: {nodes: [1, [], {data: 3}, {data: {type: http-request}}]}}",
    "workflow: {graph: {nodes: {a: b}}}",
    "workflow: {graph: []}",
    "model_config: 3",
    "model_config: {agent_mode: [], sensitive_word_avoidance: 3, external_data_tools: {a: 1}}",
    "",
)
UNREADABLE = ("{", "a: [", "\x01")


def test_a_start_succeeds_whatever_source_is_stored(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, secret_key=KEY)
    store.open(settings.store_url)
    world = build()
    apps = [make_app(world.home.id, world.owner.id, f"App {number}") for number, _ in enumerate(STRANGE + UNREADABLE)]
    for app, source in zip(apps, STRANGE + UNREADABLE, strict=True):
        store.apps.save_draft(app.id, definition=load(TEXT).document, source=source)
    store.close()

    with resources(settings):
        kept = [version.source for app in apps if (version := store.apps.draft(app.id))]
    assert kept == [*STRANGE, *("" for _ in UNREADABLE)], "what cannot be read is not exported"
