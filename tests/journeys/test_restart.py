"""A server that dies while runs wait: the next one knows them, and goes on with the answers."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from bench.measure import free_port
from tests.journeys.conftest import ROOT, Live, Person, _person, _wait
from tests.journeys.events import attach, run

DIFYSPEC = [sys.executable, "-c", "from server.cli import main; main()"]


@contextmanager
def serving(folder: Path, environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A server process of our own, which the test may kill."""
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen([*DIFYSPEC, "serve"], env=environment, cwd=ROOT, stdout=log, stderr=log)
        try:
            _wait(environment["DIFYSPEC_PUBLIC_URL"], process, folder / "server.log")
            yield process
        finally:
            process.kill()
            process.wait(20)


def place(folder: Path) -> tuple[dict[str, str], Live, Person]:
    """An empty server's settings, and the one person on it."""
    import store

    base = f"http://127.0.0.1:{free_port()}"
    environment = {
        **os.environ,
        "DATABASE_URL": f"sqlite:///{folder / 'restart.db'}",
        "DIFYSPEC_DATA_DIR": str(folder),
        "DIFYSPEC_PORT": base.rpartition(":")[2],
        "DIFYSPEC_PUBLIC_URL": base,
        "DIFYSPEC_RATE_LIMITS": "false",
    }
    store.open(environment["DATABASE_URL"])
    ada = _person("ada@example.com")
    store.close()
    return environment, Live(base, base + "/openapi/v1", ada, ada, {}, environment, pid=0), ada


def test_a_form_asked_before_a_kill_is_answered_after_it(tmp_path: Path) -> None:
    environment, live, ada = place(tmp_path)
    with serving(tmp_path, environment):
        app_id = live.import_app(ROOT / "examples" / "review.yml", ada)
        head = run(live, ada, app_id, {"inputs": {"text": "Bees dance."}})
    assert head[-1].data["event"] == "workflow_paused"
    asked: dict[str, Any] = next(e.data for e in head if e.data["event"] == "human_input_required")["data"]
    form = f"{live.api}/apps/{app_id}/form/human_input/{asked['form_token']}"
    answer = {"inputs": {"comment": "well said"}, "action": "approve"}
    with serving(tmp_path, environment):
        assert httpx.get(form, headers=ada.headers).json()["form_content"] == asked["form_content"]
        assert httpx.post(form, headers=ada.headers, json=answer).status_code == 200
        tail = attach(live, ada, app_id, head[0].data["task_id"], head[-1].id)
    assert tail[-1].data["event"] == "workflow_finished"
    assert tail[-1].data["data"]["outputs"] == {"decision": "approve", "comment": "well said"}
    ids = [int(event.id) for event in head + tail]
    assert ids == list(range(1, len(ids) + 1))
    assert asked["form_token"] not in (tmp_path / "server.log").read_text()
