"""Keys that an author wrote into settings: found by what holds them, sealed at rest, blank in what is exported."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from engine.definition import author_secrets, credentials
from engine.definition.reading import load
from engine.definition.yaml_guard import read
from engine.events.masking import secrets_of
from engine.running.sealing import Sealer
from store.refusal import Refusal
from tests.engine.conftest import Bench
from tests.engine.damage import KEYED, flow_of
from tests.engine.graphs import document, edge, node

KEYS = {
    "k-url-pw", "k-query", "k-authorization", "k-header", "k-bearer", "k-param", "k-form", "k-configuration",
    "k-parameter", "k-credentials", "k-agent",
}  # fmt: skip
SEALER = Sealer("k" * 32)
WHOLE = flow_of("workflow", *KEYED)


def written(as_yaml: bool) -> str:
    return yaml.safe_dump(WHOLE, sort_keys=False) if as_yaml else json.dumps(WHOLE)


def test_every_place_where_an_author_may_write_a_key_is_known() -> None:
    found = {key for one in credentials.found(load(written(True)).document) for key in one.keys}
    assert found - {"ada:k-url-pw"} == KEYS


@pytest.mark.parametrize("as_yaml", [True, False])
def test_a_key_in_settings_is_in_nothing_that_is_stored_and_is_there_when_the_app_runs(as_yaml: bool) -> None:
    text = written(as_yaml)
    loaded = load(text).document
    stored = author_secrets.sealed(loaded, SEALER, text)
    blank = author_secrets.blanked(text)
    for rest in (json.dumps(stored), blank):
        assert [key for key in KEYS if key in rest] == []
    assert "X-Ref: {{#env.KEY#}}" in json.dumps(stored)
    assert "Accept: text/plain" in blank.replace("\\n", "\n")
    opened = author_secrets.opened(stored, SEALER)
    assert set(secrets_of(opened)) >= KEYS
    opened.pop("keys")
    assert opened == loaded


@pytest.mark.parametrize("as_yaml", [True, False])
def test_an_export_with_secrets_is_what_was_imported(as_yaml: bool) -> None:
    text = written(as_yaml).replace("title: it", "title: it  # a remark")
    stored = author_secrets.sealed(load(text).document, SEALER, text)
    restored = author_secrets.restored(author_secrets.blanked(text), stored, SEALER)
    assert read(restored)[0] == read(text)[0]
    assert ("# a remark" in restored) == as_yaml


REFERENCES = [
    ("headers", "Authorization: Bearer {{#env.KEY#}}"),
    ("headers", "X-API-Key: {{#env.KEY#}}\nAccept: */*"),
    ("headers", "Content-Type: application/json"),
    ("params", "key:{{#start.q#}}\npage:2"),
    ("url", "https://x.example/?api_key={{#env.KEY#}}&page=2"),
    ("url", "https://{{#env.USER#}}:{{#env.PASSWORD#}}@x.example/"),
    ("url", "https://x.example/a@b?c=d"),
    ("authorization", {"type": "api-key", "config": {"type": "bearer", "api_key": "{{#env.KEY#}}"}}),
    ("authorization", {"type": "no-auth", "config": None}),
]


@pytest.mark.parametrize(("name", "value"), REFERENCES)
def test_a_reference_to_a_variable_is_no_key_and_stays_in_the_export(name: str, value: Any) -> None:
    data = {"type": "http-request", "title": "x", name: value}
    assert credentials.found({"graph": {"nodes": [{"id": "x", "data": data}]}}) == []


def test_what_is_declared_is_no_key() -> None:
    data = {
        "type": "code",
        "variables": [{"variable": "api_key", "value_selector": ["start", "api_key"]}],
        "max_tokens": "5",
        "outputs": {"token": {"type": "string"}},
        "parameters": [{"name": "password", "type": "string", "description": "x"}],
    }
    assert credentials.found({"graph": {"nodes": [{"id": "x", "data": data}]}}) == []


def test_an_app_whose_keys_were_sealed_with_another_key_is_refused_before_it_runs(bench: Bench) -> None:
    made = load(written(True)).document
    made["environment_variables"] = []
    app = bench.app(author_secrets.sealed(made, Sealer("another key")))
    with pytest.raises(Refusal) as refused:
        bench.start(app)
    assert (refused.value.code, "settings" in refused.value.message) == ("app_unavailable", True)


def test_a_key_that_a_request_shows_is_hidden_in_every_event(bench: Bench, configure: Any) -> None:
    configure(allow_private_addresses=True, secret_key="k" * 32)
    request = node(
        "fetch", "http-request", method="get", url="http://127.0.0.1:1/?token=planted-query", params="", timeout={},
        authorization={"type": "api-key", "config": {"type": "bearer", "api_key": "planted-bearer"}},
        headers="X-API-Key: planted-header", body={"type": "none", "data": []},
    )  # fmt: skip
    flow = document([node("start", "start", variables=[]), request], [edge("start", "fetch")])
    events = bench.run(author_secrets.sealed(flow, SEALER))
    assert events[-1]["data"]["status"] == "failed"
    assert "127.0.0.1:1" in json.dumps(events)
    assert "planted" not in json.dumps(events)
