"""The changes that are always tried (docs/testing.md) can still be made, and what is to notice them is there."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from contract import ROOT

MUTATION = ROOT / "tests" / "mutation"


def listed(name: str, kind: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = tomllib.loads((MUTATION / f"{name}.toml").read_text(encoding="utf-8"))[kind]
    return found


@pytest.mark.parametrize("one", listed("planted", "planted"), ids=lambda one: one["what"])
def test_a_planted_change_applies_at_one_place(one: dict[str, Any]) -> None:
    assert (ROOT / one["file"]).read_text(encoding="utf-8").count(one["old"]) == 1, "follow the code in planted.toml"
    assert one["new"] != one["old"]


@pytest.mark.parametrize("kind", ["planted", "module"])
def test_every_file_and_test_that_is_named_is_there(kind: str) -> None:
    for one in listed("planted" if kind == "planted" else "modules", kind):
        for name in [*one["tests"], *one.get("files", [one.get("file")])]:
            file, _, test = name.partition("::")
            assert (ROOT / file).is_file(), name
            assert not test or f"def {test}(" in (ROOT / file).read_text(encoding="utf-8"), name
