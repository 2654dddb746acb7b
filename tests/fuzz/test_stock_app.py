"""connexion's stock app over the same contract and handlers: where it and the compiled app differ, one is wrong."""

from __future__ import annotations

import uuid
from functools import partial

import pytest
from schemathesis import Case
from schemathesis.transport.serialization import Binary

from contract import VIEW_32, load
from server.app import create_stock_app
from tests.fuzz import servers
from tests.fuzz.promises import promises
from tests.fuzz.target import Target

# connexion never closes what it reads of a multipart body.
pytestmark = pytest.mark.filterwarnings("ignore:Unclosed file <tempfile.SpooledTemporaryFile:ResourceWarning")

PATHS = load(VIEW_32)["paths"]


def is_known(case: Case) -> bool:
    """Where the stock app is wrong, as the list of errors in ``tests/server`` shows too, and the compiled app right."""
    return _is_unreadable(case) or _is_undeclared(case) or _is_no_task(case) or _ends_in_a_line_feed(case)


def _is_unreadable(case: Case) -> bool:
    # connexion reads JSON that is not UTF-8, and multipart that is not multipart, outside of its error handling: 500.
    body = case.body.data if isinstance(case.body, Binary) else case.body
    if case.media_type == "multipart/form-data" and not isinstance(body, dict):
        return True
    try:
        if isinstance(body, bytes):
            body.decode()
    except UnicodeDecodeError:
        return True
    return False


def _is_undeclared(case: Case) -> bool:
    # Allow names the methods of the first route alone, where a path has several.
    declared = {method.upper() for method in PATHS[case.operation.path]}
    return len(declared) > 1 and case.method not in declared


def _is_no_task(case: Case) -> bool:
    # The format of an id in a path is not checked, and to stop a task that does not exist is a success.
    if case.operation.definition.raw["operationId"] != "stopTask":
        return False
    try:
        return not uuid.UUID(str(case.path_parameters.get("task_id")))
    except ValueError:
        return True


def _ends_in_a_line_feed(case: Case) -> bool:
    # In a Python pattern `$` also matches before a last line feed; in the contract's (ECMA 262) it does not.
    body = case.body if isinstance(case.body, dict) else {}
    return any(str(value).endswith("\n") for value in [*(case.query or {}).values(), *body.values()])


target = Target(in_process=True, known_defect=is_known)
TestStockApp = promises(target, partial(servers.in_process, create_stock_app, target.door))
