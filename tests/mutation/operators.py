"""Changes beside those that cosmic-ray makes: a statement left out, another condition in a statement of SQL."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, ClassVar

import parso
from cosmic_ray.operators.operator import Example, Operator
from cosmic_ray.plugins import OPERATOR_PROVIDERS

Position = tuple[tuple[int, int], tuple[int, int]]

_LEFT_OUT = ("atom_expr", "await_expr", "raise_stmt", "return_stmt", "del_stmt", "expr_stmt")
_SQL = re.compile(r"\b(SELECT|INSERT|UPDATE|DELETE|FROM|WHERE|SET|AND|ORDER BY|status IN)\b")
_CHANGES = tuple(
    (re.compile(pattern), to)
    for pattern, to in (
        (r"\bAND\b", "OR"),
        (r"\bOR\b", "AND"),
        (r"\b(WHERE|AND|OR) (\(?[a-z_.]+) = ", r"\1 \2 <> "),
        (r" < ", " <= "),
        (r" > ", " >= "),
        (r" <= ", " < "),
        (r" >= ", " > "),
        (r"\bIS NULL\b", "IS NOT NULL"),
        (r"\bIS NOT NULL\b", "IS NULL"),
        (r"(?<!NOT )\bIN \(", "NOT IN ("),
        (r"\bORDER BY ([a-z_.]+)(?! DESC)", r"ORDER BY \1 DESC"),
        (r" DESC\b", " ASC"),
    )
)


class LeaveOut(Operator):  # type: ignore[misc]
    """Leaves out a statement that does something: a call, an assignment to a member, a return, a raise."""

    def mutation_positions(self, node: Any) -> Iterator[Position]:
        if node.type == "simple_stmt" and _does_something(node.children[0]):
            yield node.children[0].start_pos, node.children[0].end_pos

    def mutate(self, node: Any, index: int) -> Any:
        left = parso.parse("pass").children[0]
        left.prefix = node.children[0].get_first_leaf().prefix
        node.children[0] = left
        return node

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (Example("self.x = 1\n", "pass\n"), Example("x = 1\n\nf(x)\n", "x = 1\n\npass\n"))


class ChangeCondition(Operator):  # type: ignore[misc]
    """Changes one condition, or the order, in a piece of SQL."""

    def mutation_positions(self, node: Any) -> Iterator[Position]:
        for _ in _places(node):
            yield node.start_pos, node.end_pos

    def mutate(self, node: Any, index: int) -> Any:
        found, to = _places(node)[index]
        node.value = node.value[: found.start()] + found.expand(to) + node.value[found.end() :]
        return node

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (Example('"WHERE a = ? AND b < ?"', '"WHERE a = ? OR b < ?"'),)


def _does_something(statement: Any) -> bool:
    if statement.type == "keyword":
        return bool(statement.value == "return")
    if statement.type == "expr_stmt":
        # What gives a name its first value is not left out: that breaks at once, and says nothing of the tests.
        target, sign = statement.children[:2]
        return target.type == "atom_expr" or getattr(sign, "value", "=") != "="
    return statement.type in _LEFT_OUT


def _places(node: Any) -> list[tuple[re.Match[str], str]]:
    if node.type not in ("string", "fstring_string") or not _SQL.search(node.value):
        return []
    return [(found, to) for pattern, to in _CHANGES for found in pattern.finditer(node.value)]


class _Ours:
    """What cosmic-ray takes operators from."""

    _found: ClassVar = {"LeaveOut": LeaveOut, "ChangeCondition": ChangeCondition}

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __getitem__(self, name: str) -> type[Operator]:
        return self._found[name]


OPERATOR_PROVIDERS["ours"] = _Ours()
