"""What is tried: the modules, the stored sample of their mutants, the planted changes, and what is known to survive."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tests.mutation.mutants import Mutant, draw

HERE = Path(__file__).parent
SAMPLE = HERE / "sample.json"
EACH = 40
SEED = "difyspec"


@dataclass(frozen=True)
class Module:
    """Files that are changed, and the tests that are to notice it."""

    name: str
    files: list[str]
    tests: list[str]


@dataclass(frozen=True)
class Planted:
    """One change as texts: ``old``, which the file holds, becomes ``new``."""

    what: str
    file: str
    old: str
    new: str
    tests: list[str]


def modules() -> list[Module]:
    """The modules of ``modules.toml``."""
    return [Module(**one) for one in _toml("modules")["module"]]


def planted() -> list[Planted]:
    """The changes of ``planted.toml``."""
    return [Planted(**one) for one in _toml("planted")["planted"]]


def explained() -> dict[Mutant, str]:
    """The mutants of ``explained.toml`` that may survive, and why."""
    return {Mutant(*one["mutant"]): one["why"] for one in _toml("explained")["survivor"]}


@cache
def stored() -> dict[str, list[Mutant]]:
    """The sample by module."""
    found = json.loads(SAMPLE.read_text(encoding="utf-8")) if SAMPLE.exists() else {}
    return {name: [Mutant(*one) for one in mutants] for name, mutants in found.items()}


def redraw() -> None:
    """Store a sample anew: what applies of the old one, and by lot what is missing of `EACH` for each module."""
    drawn = {one.name: draw(one.files, stored().get(one.name, []), EACH, SEED + one.name) for one in modules()}
    lists = (
        f"  {json.dumps(name)}: [\n" + ",\n".join(f"    {json.dumps(list(one))}" for one in found) + "\n  ]"
        for name, found in drawn.items()
    )
    SAMPLE.write_text("{\n" + ",\n".join(lists) + "\n}\n", encoding="utf-8")


def _toml(name: str) -> dict[str, Any]:
    return tomllib.loads((HERE / f"{name}.toml").read_text(encoding="utf-8"))
