"""Every ``curl`` of the README and the docs, pasted into a shell, against a real server: each answers as it should."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import store
import store.device
from tests.journeys.conftest import ROOT, Live
from tests.waiting import HANG

ADDRESS = "http://127.0.0.1:8000"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
# What each asks for, in their order, and the status it gets. A new one needs a row here.
EXPECTED = [
    ("/oauth/device/code", 200),
    ("/oauth/device/token", 200),
    ("/apps?workspace_id=$WORKSPACE", 200),
    ("/apps/$APP/describe", 200),
    ("/apps/$APP/run", 200),
    ("/apps/$APP/tasks/$TASK/events", 200),
    ("/apps/$APP/files/upload", 201),
]


def curls() -> list[str]:
    """The commands, each on one line."""
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    joined = "\n".join(blocks).replace("\\\n", " ")
    return [line for line in joined.splitlines() if line.startswith("curl ")]


def test_each_line_for_the_shell_does_what_its_page_says(live: Live, tmp_path: Path) -> None:
    app_id = live.import_app(ROOT / "examples" / "summarise.yml", live.ada)
    (tmp_path / "report.pdf").write_bytes(b"%PDF-1.4\n")
    given = {"TOKEN": live.ada.token, "WORKSPACE": live.ada.workspace_id, "APP": app_id, "TASK": ""}
    lines, device_code = curls(), ""
    assert len(lines) == len(EXPECTED)
    for line, (path, status) in zip(lines, EXPECTED, strict=True):
        assert path in line
        command = line.replace(ADDRESS, live.base).replace("dc_…", device_code)
        done = subprocess.run(
            ["bash", "-c", command + " -w '\\n%{http_code}'"],
            env={**live.environment, **given}, cwd=tmp_path, capture_output=True, text=True, timeout=HANG, check=True,
        )  # fmt: skip
        body, _, told = done.stdout.rpartition("\n")
        assert int(told) == status, f"{line}\n{body}"
        if path == "/oauth/device/code":
            started = json.loads(body)
            device_code = started["device_code"]
            store.open(live.environment["DATABASE_URL"])
            store.device.approve(started["user_code"], live.ada.account_id)
            store.close()
        elif path.endswith("/token"):
            assert json.loads(body)["token"]
        elif path.endswith("/run"):
            given["TASK"] = body.partition('"task_id":"')[2].partition('"')[0]
            assert '"status":"succeeded"' in body
        elif path.endswith("/events"):
            assert re.findall(r"^id: (\d+)$", body, re.MULTILINE)[0] == "5"
