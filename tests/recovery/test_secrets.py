"""A secret of an app's author, wherever its run may carry it: through pauses, failures and a killed server."""

from __future__ import annotations

import base64
import itertools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.engine.forms import ask
from tests.engine.graphs import document, edge, llm, node, template
from tests.journeys.conftest import ROOT
from tests.recovery.kills import Reader
from tests.recovery.site import Site

# Its end is no hexadecimal number: ids and hashes have every short one somewhere.
SECRET = "sentinel-7f3a of two words zyxwvut"
# One that stands in a node's settings, where no variable is.
PLANTED = "planted-9c1e-qrstuvw"


def leaky(base: str) -> dict[str, Any]:
    """A chat whose nodes do with a secret what an author should not: each shows it, sends it or fails with it."""
    fetch = node(
        "fetch", "http-request", method="get", url=base + "/openapi/v1/_health?key={{#env.KEY#}}",
        authorization={"type": "api-key", "config": {"type": "custom", "header": "X-Own", "api_key": PLANTED}},
        headers=f"X-Key:{{{{#env.KEY#}}}}\nX-API-Key: {PLANTED}", params="", body={"type": "none", "data": []},
        timeout={}, error_strategy="default-value",
        default_value=[{"key": key, "type": kind, "value": value} for key, kind, value in (
            ("body", "string", ""), ("status_code", "number", 0), ("headers", "object", "{}"))],
    )  # fmt: skip
    fail = node(
        "fail", "code", code_language="python3", code="def main(key):\n    raise ValueError(key)",
        variables=[{"variable": "key", "value_selector": ["env", "KEY"]}],
        outputs={"result": {"type": "string", "children": None}},
        error_strategy="default-value", default_value=[{"key": "result", "type": "string", "value": "{{#env.KEY#}}"}],
    )  # fmt: skip
    keep = node(
        "keep", "assigner", version="2",
        items=[{"variable_selector": ["conversation", "kept"], "input_type": "variable", "operation": "over-write",
                "value": ["env", "KEY"]}],
    )  # fmt: skip
    chain = [
        node("start", "start", variables=[]), template("show", "key: {{ key }}", key=["env", "KEY"]), fetch, fail, keep,
        llm("first", "repeat {{#env.KEY#}} {{#show.output#}}", delay_ms=10), ask("review", "Is it {{#env.KEY#}}?"),
        llm("second", "once {{#env.KEY#}} more {{#env.KEY#}} {{#show.output#}} {{#fail.error_message#}}", delay_ms=60),
        node("answer", "answer", answer="{{#env.KEY#}} {{#first.text#}} {{#second.text#}} {{#fetch.body#}}"),
    ]  # fmt: skip
    ids = [one["id"] for one in chain]
    edges = [edge(a, b, "approve" if a == "review" else "source") for a, b in itertools.pairwise(ids)]
    made = document(chain, edges, "advanced-chat")
    made["environment_variables"] = [{"id": "k", "name": "KEY", "value_type": "secret", "value": SECRET}]
    made["conversation_variables"] = [{"id": "c", "name": "kept", "value_type": "string", "value": ""}]
    return made


def test_a_secret_is_in_no_event_no_log_no_export_and_no_file_of_the_server(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    site = Site(
        data, f"sqlite:///{data / 'site.db'}",
        DIFYSPEC_CHECKPOINT_SECONDS="0.01", DIFYSPEC_ALLOW_PRIVATE_ADDRESSES="true", DIFYSPEC_LOG_LEVEL="debug",
    )  # fmt: skip
    server = site.server()
    source = tmp_path / "leaky.yml"
    definition = leaky(server.base)
    workflow = {name: definition[name] for name in definition if name != "mode"}
    whole = {"version": "0.6.0", "kind": "app", "app": {"name": "Leaky", "mode": "advanced-chat"}, "workflow": workflow}
    source.write_text(yaml.safe_dump(whole, allow_unicode=True))
    try:
        app_id = site.live(server).import_app(source, site.ada)
        server.start()
        head = Reader(site, server, app_id, {"inputs": {}, "query": "go"}).join()
        assert head[-1].data["event"] == "workflow_paused"
        asked = next(e.data["data"] for e in head if e.data["event"] == "human_input_required")
        server.end()
        at_rest(data)

        server.start()
        form = f"{server.api}/apps/{app_id}/form/human_input/{asked['form_token']}"
        shown = httpx.get(form, headers=site.ada.headers)
        answer = {"inputs": {"comment": "x"}, "action": "approve"}
        assert httpx.post(form, headers=site.ada.headers, json=answer).status_code == 200
        task = head[0].data["task_id"]
        with httpx.stream(
            "GET", f"{server.api}/apps/{app_id}/tasks/{task}/events",
            headers=site.ada.headers | {"Last-Event-ID": head[-1].id},
        ) as response:  # fmt: skip
            seen = next(line for line in response.iter_lines() if '"node_id":"second"' in line)
        server.end()
        at_rest(data)

        server.start()
        tail = site.attach(server, app_id, task, head[-1].id)
        assert (tail[-1].data["data"]["status"], "******" in tail[-1].data["data"]["outputs"]["answer"]) == (
            "partial-succeeded", True,
        )  # fmt: skip
        said = "".join(e.data["answer"] for e in head + tail if e.data["event"] == "message")
        told = json.dumps([e.data for e in head + tail], ensure_ascii=False) + seen + shown.text + said
        exported = subprocess.run(
            [sys.executable, "-c", "from server.cli import main; main()", "apps", "export", app_id],
            env=server.environment, cwd=ROOT, capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert "name: KEY" in exported.stdout
        for text in (told, exported.stdout + exported.stderr):
            assert [form for form in forms() if form in text] == []
        server.end()
        at_rest(data)
    finally:
        site.close()


def forms() -> list[str]:
    """The ways in which the secret may be written: whole, its telling parts, and encoded."""
    encoded = SECRET.replace(" ", "%20"), SECRET.replace(" ", "+"), base64.b64encode(SECRET.encode()).decode()
    planted = PLANTED, base64.b64encode(PLANTED.encode()).decode()
    return [SECRET, "sentinel-7f3a", "zyxwvut", *encoded, *planted]


def at_rest(folder: Path) -> None:
    """Nothing of the secret in the raw bytes of the database, its journal, the logs, or any other file."""
    files = [file for file in folder.rglob("*") if file.is_file()]
    assert {"site.db"} <= {file.name for file in files}
    found = [f"{form!r} in {file.name}" for file in files for form in forms() if form.encode() in file.read_bytes()]
    assert found == []
