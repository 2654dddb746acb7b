"""What every server keeps, however it is reached: the tests of one target, as a class for pytest to collect."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from schemathesis import Case

from tests.fuzz import view
from tests.fuzz.ground import Ground
from tests.fuzz.target import Target


def promises(target: Target, serve: Callable[[Path], AbstractContextManager[Ground]]) -> type:
    """Return the tests of ``target``; ``serve`` starts it once for all of them, with its state in a folder."""

    @pytest.mark.timeout(600)
    class Promises:
        @pytest.fixture(scope="class", autouse=True)
        def ground(self, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
            with serve(tmp_path_factory.mktemp("fuzz")) as made, target.on(made):
                yield

        @target.schema.parametrize()
        def test_an_operation_keeps_its_contract(self, case: Case) -> None:
            target.check(case)

        @pytest.mark.parametrize("tag", sorted(view.stories()))
        def test_operations_keep_it_one_after_the_other(self, tag: str) -> None:
            target.tell_stories(tag)

        def test_every_operation_was_seen_to_succeed(self) -> None:
            left = target.never_succeeded()
            assert left == set(), f"never answered with a success: {sorted(left)}"

    return Promises
