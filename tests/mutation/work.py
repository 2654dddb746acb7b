"""One worker: makes its share of the changes, one at a time, in a copy of the tree that nobody else uses."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cosmic_ray import plugins
from cosmic_ray.mutating import use_mutation

from contract import ROOT
from tests.mutation import mutants, sample
from tests.mutation.forks import SURVIVED, preload, tested
from tests.mutation.mutants import Mutant
from tests.mutation.sample import Planted
from tests.mutation.touched import Recorder, Touched, tests_of

GONE = "gone"
UNHURRIED = 3600.0  # seconds that a module's tests may take
OUTPUT = ROOT / "output.txt"
Change = Mutant | Planted
WARM = ["server.app", "server.settings", "engine.runs", "engine.running.execute", "store", "tests.conftest",
        "tests.engine.conftest", "pytest", "pytest_timeout"]  # fmt: skip


def work(share: int, shares: int, each: int, names: list[str]) -> None:
    """Print a line of JSON for each change of this share: the module, the change, what became of it, seconds."""
    preload(WARM)
    dealt = 0
    for name, tests, changes in _work(each, names):
        mine = changes[(share - dealt) % shares :: shares]
        dealt += len(changes)
        if not mine:
            continue
        touched, guard = _unchanged(name, tests, sorted({one.file for one in mine}))
        places: dict[Mutant, tuple[int, int]] = {}
        for one in mine:
            began = time.monotonic()
            if isinstance(one, Mutant) and one not in places:
                places |= mutants.of(one.file)
            is_found = isinstance(one, Mutant) and one in places
            first = tests_of(touched, one.file, places[one][1]) if is_found else []
            with _made(one, places) as is_made:
                became = _noticed(first, tests, guard) if is_made else GONE
            told: Any = list(one) if isinstance(one, Mutant) else one.what
            print(json.dumps([name, told, became, round(time.monotonic() - began, 1)]), flush=True)


def _unchanged(name: str, tests: list[str], files: list[str]) -> tuple[Touched, float]:
    """Run a module's tests without any change: which functions they enter, and how long a change may take."""
    found = ROOT / "touched.json"
    for _ in range(2):
        began = time.monotonic()
        if tested(tests, UNHURRIED, OUTPUT, Recorder(files, found)) == SURVIVED:
            # Slow machines are slow at everything.
            return json.loads(found.read_text(encoding="utf-8")), 20 + 4 * (time.monotonic() - began)
        print(OUTPUT.read_text(errors="replace")[-20_000:], file=sys.stderr)
    raise SystemExit(f"{name}: its tests fail without any change, twice; see above")


def _noticed(first: list[str], tests: list[str], guard: float) -> str:
    """What became of the change that is made: most are noticed by the tests that enter its function."""
    became = tested(first, guard, OUTPUT) if first else SURVIVED
    return tested(tests, guard, OUTPUT) if became == SURVIVED else became


def _work(each: int, names: list[str]) -> Iterator[tuple[str, list[str], list[Any]]]:
    for one in sample.planted():
        if not names or "planted" in names:
            yield "planted", one.tests, [one]
    for module in sample.modules():
        if not names or module.name in names:
            yield module.name, module.tests, sample.stored()[module.name][:each]


@contextmanager
def _made(change: Change, places: dict[Mutant, tuple[int, int]]) -> Iterator[bool]:
    file = ROOT / change.file
    if isinstance(change, Mutant):
        if change not in places:
            yield False
            return
        with use_mutation(file, plugins.get_operator(change.operator)(), places[change][0]) as (_, mutated):
            yield mutated is not None
        return
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace(change.old, change.new), encoding="utf-8")
    yield text.count(change.old) == 1
    file.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    work(*map(int, sys.argv[1:4]), sys.argv[4:])
