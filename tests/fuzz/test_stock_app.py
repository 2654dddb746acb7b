"""connexion's stock app over the same contract and handlers: where it and the compiled app differ, one is wrong."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from schemathesis import Case
from schemathesis.transport.serialization import Binary

from server.app import create_stock_app
from tests.fuzz import servers, view
from tests.fuzz.target import Target


def is_unreadable(case: Case) -> bool:
    """What the stock app answers with a 500: connexion reads JSON that is not UTF-8, and multipart that is not
    multipart, outside of its error handling. The compiled app answers 400 to both.
    """
    body = case.body.data if isinstance(case.body, Binary) else case.body
    if case.media_type == "multipart/form-data" and not isinstance(body, dict):
        return True
    try:
        if isinstance(body, bytes):
            body.decode()
    except UnicodeDecodeError:
        return True
    return False


target = Target(in_process=True, known_defect=is_unreadable)
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module", autouse=True)
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with servers.in_process(create_stock_app, target.door, tmp_path_factory.mktemp("fuzz")) as made, target.on(made):
        yield


@target.schema.parametrize()
def test_an_operation_keeps_its_contract(case: Case) -> None:
    target.check(case)


@pytest.mark.parametrize("tag", sorted(view.stories()))
def test_operations_keep_it_one_after_the_other(tag: str) -> None:
    target.tell_stories(tag)


def test_every_operation_was_seen_to_succeed() -> None:
    assert target.never_succeeded() == set()
