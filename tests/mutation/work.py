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

GONE = "gone"
Change = Mutant | Planted
WARM = ["server.app", "server.settings", "engine.runs", "engine.running.execute", "store", "tests.conftest",
        "tests.engine.conftest", "pytest", "pytest_timeout"]  # fmt: skip


def work(share: int, shares: int, each: int, names: list[str]) -> None:
    """Print a line of JSON for each change of this share: the module, the change, what became of it, seconds."""
    preload(WARM)
    for name, tests, changes in _work(each, names):
        mine = changes[share::shares]
        began = time.monotonic()
        if mine and tested(tests, 600, ROOT / "output.txt") != SURVIVED:
            print((ROOT / "output.txt").read_text()[-20_000:], file=sys.stderr)
            raise SystemExit(f"{name}: its tests fail without any change")
        # Slow machines are slow at everything.
        guard = 20 + 4 * (time.monotonic() - began)
        numbers: dict[Mutant, int] = {}
        for one in mine:
            began = time.monotonic()
            if isinstance(one, Mutant) and one not in numbers:
                numbers |= mutants.of(one.file)
            with _made(one, numbers) as is_made:
                became = tested(tests, guard, ROOT / "output.txt") if is_made else GONE
            told: Any = list(one) if isinstance(one, Mutant) else one.what
            print(json.dumps([name, told, became, round(time.monotonic() - began, 1)]), flush=True)


def _work(each: int, names: list[str]) -> Iterator[tuple[str, list[str], list[Any]]]:
    for one in sample.planted():
        if not names or "planted" in names:
            yield "planted", one.tests, [one]
    for module in sample.modules():
        if not names or module.name in names:
            yield module.name, module.tests, sample.stored()[module.name][:each]


@contextmanager
def _made(change: Change, numbers: dict[Mutant, int]) -> Iterator[bool]:
    file = ROOT / change.file
    if isinstance(change, Mutant):
        if change not in numbers:
            yield False
            return
        with use_mutation(file, plugins.get_operator(change.operator)(), numbers[change]) as (_, mutated):
            yield mutated is not None
        return
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace(change.old, change.new), encoding="utf-8")
    yield text.count(change.old) == 1
    file.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    work(*map(int, sys.argv[1:4]), sys.argv[4:])
