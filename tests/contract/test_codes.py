"""The codes that the contract promises and the codes that the source can answer are the same."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import contract
from contract import ROOT
from store.refusal import OAUTH_STATUS, REFUSALS

# Answered outside of any operation, or only to an operator at the command line.
NOT_OF_AN_OPERATION = {"method_not_allowed", "account_inactive", "conflict"}


def declared() -> set[str]:
    found: set[str] = set().union(*contract.transport_codes(contract.load()).values())
    for _path, _method, operation in contract.operations():
        found.update(*contract.error_codes(contract.load(), operation).values())
    return found


def trees() -> Iterator[ast.Module]:
    for folder in ("server", "handlers", "store", "engine", "web"):
        for file in (ROOT / folder).rglob("*.py"):
            if file != ROOT / "store" / "refusal.py":  # the table names all of them
                yield ast.parse(file.read_text(encoding="utf-8"))


def test_every_code_of_the_contract_is_named_where_something_refuses() -> None:
    named = {node.value for tree in trees() for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    assert declared() - named == set()


def test_every_refusal_is_declared_by_some_operation() -> None:
    calls = [node for tree in trees() for node in ast.walk(tree) if isinstance(node, ast.Call) and node.args]
    raised = {
        call.args[0].value
        for call in calls
        if ast.unparse(call.func) in ("Refusal", "OAuthRefusal") and isinstance(call.args[0], ast.Constant)
    }
    assert raised, "the search finds nothing"
    assert raised <= set(REFUSALS) | set(OAUTH_STATUS)
    assert raised - NOT_OF_AN_OPERATION <= declared()
