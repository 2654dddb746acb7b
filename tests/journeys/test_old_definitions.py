"""What old exports look like: each imports, says what was adapted, and runs."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from engine.definition.reading import load
from tests.engine.old_definitions import OLD
from tests.journeys.conftest import ROOT, Live
from tests.journeys.events import run

AGE = "Version 0.1.2 is older than 0.6.0; it was read as the current one."


@pytest.fixture(scope="module")
def imported(live: Live, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str], str]:
    """The ids of the apps, and what the command said of them."""
    folder = tmp_path_factory.mktemp("old")
    files = []
    for number, old in enumerate(OLD.values()):
        files.append(folder / f"{number}.json")
        files[-1].write_text(json.dumps(old.document), encoding="utf-8")
    command = [sys.executable, "-c", "from server.cli import main; main()", "apps", "import", *map(str, files)]
    done = subprocess.run(
        [*command, "--owner", live.ada.email, "-o", "json"],
        env=live.environment, cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return dict(zip(OLD, [str(row["id"]) for row in json.loads(done.stdout)], strict=True)), done.stderr


@pytest.mark.parametrize("habit", OLD)
def test_an_old_definition_imports_with_a_warning_and_runs(
    live: Live, imported: tuple[dict[str, str], str], habit: str
) -> None:
    old, (ids, told) = OLD[habit], imported
    events = run(live, live.ada, ids[habit], {"inputs": old.inputs})
    last = events[-1].data["data"]
    if old.error:
        assert (last["status"], old.error in last["error"]) == ("failed", True), last["error"]
    else:
        assert (last["status"], last["outputs"]) == ("succeeded", old.outputs), last["error"]
    warnings = load(json.dumps(old.document)).warnings
    aged = [] if "version" not in old.document else [AGE]
    for part in (*aged, *old.told):
        assert any(part in warning for warning in warnings), warnings
    assert len(warnings) == len(aged) + len(old.told), warnings
    squeezed = "".join(told.split())
    assert all("".join(warning.split()) in squeezed for warning in warnings)
