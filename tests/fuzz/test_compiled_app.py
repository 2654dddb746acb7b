"""The app that is served, in process: no generated request finds a difference between it and its contract."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from schemathesis import Case

from server.app import create_app
from tests.fuzz import servers, view
from tests.fuzz.target import Target

target = Target(in_process=True)
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module", autouse=True)
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with servers.in_process(create_app, target.door, tmp_path_factory.mktemp("fuzz")) as made, target.on(made):
        yield


@target.schema.parametrize()
def test_an_operation_keeps_its_contract(case: Case) -> None:
    target.check(case)


@pytest.mark.parametrize("tag", sorted(view.stories()))
def test_operations_keep_it_one_after_the_other(tag: str) -> None:
    target.tell_stories(tag)


def test_every_operation_was_seen_to_succeed() -> None:
    assert target.never_succeeded() == set()
