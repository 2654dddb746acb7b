"""The first minute: ``difyspec demo``, and what it prints, pasted into a shell."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from bench.measure import free_port
from server.commands import demo
from tests.journeys.conftest import ROOT
from tests.waiting import HANG, until

DEMO = [sys.executable, "-c", "from server.cli import main; main()", "demo"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of its own for the demo's state."""
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def printed(folder: Path) -> Iterator[str]:
    """What the demo prints before and while it listens."""
    with started(folder) as said:
        yield said


@contextmanager
def started(folder: Path) -> Iterator[str]:
    """A demo that runs, and what it printed."""
    environment = {k: v for k, v in os.environ.items() if k not in ("DATABASE_URL", "REDIS_URL")}
    port, said = free_port(), folder / "said.txt"
    with said.open("w") as out:
        process = subprocess.Popen(
            [*DEMO, "--dir", str(folder / "state"), "--port", str(port)],
            cwd=ROOT,
            env=environment,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
        try:
            until(lambda: "docs at" in said.read_text(), "the demo's last line", process)
            yield said.read_text()
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(HANG) == 0


def test_the_lines_of_the_demo_work_when_pasted(printed: str) -> None:
    lines = printed.partition("export TOKEN")[2].partition("\ndifyspec:")[0]
    script = "export TOKEN" + lines
    answers = subprocess.run(
        ["bash", "-e", "-c", script], capture_output=True, text=True, timeout=HANG, check=True
    ).stdout
    assert '"subject_email":"owner@example.com"' in answers
    assert f'"total":{len(list((ROOT / "examples").glob("*.yml")))}' in answers
    assert '"event":"workflow_finished"' in answers
    assert '"status":"succeeded","outputs":{"summary"' in answers


def test_the_owner_of_the_demo_signs_in_with_the_printed_password(printed: str) -> None:
    email, password = re.findall(r"Sign in as +(\S+) +/ +(\S+)", printed)[0]
    base = re.findall(r"Try the apps +(\S+)/apps", printed)[0]
    with httpx.Client(base_url=base, follow_redirects=True) as client:
        page = client.get("/signin").text
        form = dict(re.findall(r'name="(\w+)"[^>]*value="([^"]*)"', page))
        answer = client.post("/signin", data={**form, "email": email, "password": password}, headers={"Origin": base})
        assert answer.status_code == 200
        assert email in answer.text or "Sign out" in answer.text


def test_a_demo_that_is_started_again_has_the_same_password_and_token(printed: str, folder: Path) -> None:
    secret = r"(?:owner@example\.com  /  |export TOKEN=)(\S+)"
    assert (folder / "state" / "demo.json").stat().st_mode & 0o077 == 0
    with started(folder) as again:
        assert re.findall(secret, again) == re.findall(secret, printed)
        assert len(re.findall(secret, again)) == 2


def test_a_demo_whose_notes_are_broken_makes_new_ones(tmp_path: Path) -> None:
    for broken in ("", "[]", '{"password": "x"'):
        (tmp_path / "demo.json").write_text(broken)
        assert demo._known(tmp_path / "demo.json") == {}
