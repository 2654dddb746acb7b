"""The house rules of the contract: ``python -m contract.rules`` prints what breaks them and exits 1.

A rule is a function from the document to findings, so that a test can plant a violation and see it caught.
Public linters know OpenAPI; these rules know this project.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from contract import Document, load
from contract import rules_operations as about_operations
from contract import rules_schemas as about_schemas

Rule = Callable[[Document], Iterable[tuple[str, str]]]

RULES: dict[str, Rule] = {
    "names": about_operations.names,
    "security": about_operations.security,
    "limits": about_operations.limits,
    "statuses": about_operations.statuses,
    "errors": about_operations.errors,
    "transport": about_operations.transport,
    "headers": about_operations.headers,
    "order": about_operations.order,
    "queries": about_operations.queries,
    "streams": about_operations.streams,
    "bounds": about_schemas.bounds,
    "requests": about_schemas.requests,
    "members": about_schemas.members,
    "parameters": about_schemas.parameters,
    "examples": about_schemas.examples,
    "unused": about_schemas.unused,
    "words": about_schemas.words,
}


def check(document: Document | None = None) -> list[tuple[str, str, str]]:
    """Every finding as (rule, place, what is wrong), in the order of the table; an empty list is a pass."""
    subject = load() if document is None else document
    found = {(name, place, wrong) for name, rule in RULES.items() for place, wrong in rule(subject)}
    rank = list(RULES)
    return sorted(found, key=lambda finding: (rank.index(finding[0]), *finding[1:]))


def main() -> int:
    """Print the findings, one a line."""
    findings = check()
    for rule, place, wrong in findings:
        print(f"{rule}: {place}: {wrong}")
    print(f"{len(RULES)} rules, {len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    raise SystemExit(main())
