"""``difyspec serve`` over real HTTP, with a socket between the requests and their answers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from schemathesis import Case

from tests.fuzz import servers, view
from tests.fuzz.target import Target

target = Target(in_process=False)
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module", autouse=True)
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with servers.over_http(tmp_path_factory.mktemp("fuzz")) as made, target.on(made):
        yield


@target.schema.parametrize()
def test_an_operation_keeps_its_contract(case: Case) -> None:
    target.check(case)


@pytest.mark.parametrize("tag", sorted(view.stories()))
def test_operations_keep_it_one_after_the_other(tag: str) -> None:
    target.tell_stories(tag)


def test_every_operation_was_seen_to_succeed() -> None:
    assert target.never_succeeded() == set()
