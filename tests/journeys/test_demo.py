"""The first minute: ``difyspec demo``, and what it prints, pasted into a shell."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import httpx
import pytest

from bench.measure import free_port
from tests.journeys.conftest import ROOT

DEMO = [sys.executable, "-c", "from server.cli import main; main()", "demo"]


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """What the demo prints before and while it listens; its state stays in a folder of its own."""
    folder = tmp_path_factory.mktemp("demo")
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
            for _ in range(300):
                if "docs at" in said.read_text():
                    break
                assert process.poll() is None, said.read_text()
                time.sleep(0.05)
            yield said.read_text()
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0


def test_the_lines_of_the_demo_work_when_pasted(printed: str) -> None:
    lines = printed.partition("export TOKEN")[2].partition("\ndifyspec:")[0]
    script = "export TOKEN" + lines.replace("Three lines to paste:", "")
    answers = subprocess.run(
        ["bash", "-e", "-c", script], capture_output=True, text=True, timeout=60, check=True
    ).stdout
    assert '"subject_email":"owner@example.com"' in answers
    assert f'"total":{len(list((ROOT / "examples").glob("*.yml")))}' in answers
    assert '"event":"workflow_finished"' in answers
    assert '"status":"succeeded","outputs":{"summary"' in answers


def test_the_owner_of_the_demo_signs_in_with_the_printed_password(printed: str) -> None:
    base, email, password = re.findall(r"Sign in +(\S+)/signin +(\S+) +/ +(\S+)", printed)[0]
    with httpx.Client(base_url=base, follow_redirects=True) as client:
        page = client.get("/signin").text
        form = dict(re.findall(r'name="(\w+)"[^>]*value="([^"]*)"', page))
        answer = client.post("/signin", data={**form, "email": email, "password": password}, headers={"Origin": base})
        assert answer.status_code == 200
        assert email in answer.text or "Sign out" in answer.text
