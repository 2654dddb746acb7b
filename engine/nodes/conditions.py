"""Conditions: of if-else nodes, and those that end a loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

from graphon.engine.container_handler.builtin import loop
from graphon.file.enums import FileAttribute
from graphon.file.file_manager import get_attr
from graphon.file.models import File
from graphon.nodes.if_else.if_else_node import IfElseNode
from graphon.utils.condition.processor import ConditionCheckResult, ConditionProcessor
from graphon.variables.segments import ArrayFileSegment
from graphon.variables.template_resolution import convert_template

from engine.nodes.comparisons import CannotCompare, holds

_OF_FILES = ("contains", "not contains", "all of")
ATTRIBUTES = tuple(attribute.value for attribute in FileAttribute)


class Conditions(ConditionProcessor):
    """Takes the place of the engine's own, whose comparisons are not those that an author means (`comparisons`)."""

    def process_conditions(
        self, *, variable_pool: Any, conditions: Sequence[Any], operator: Literal["and", "or"]
    ) -> ConditionCheckResult:
        """Test one after the other until the result is known. Raises ValueError for what cannot be tested."""
        told: list[dict[str, Any]] = []
        results: list[bool] = []
        for condition in conditions:
            name = ".".join(condition.variable_selector)
            variable = variable_pool.get(condition.variable_selector)
            if variable is None:
                raise CannotCompare(f"Variable {name} not found" if name else "A condition names no variable")
            asked, expected = condition.comparison_operator, _filled(condition.value, variable_pool)
            if isinstance(variable, ArrayFileSegment) and asked in _OF_FILES:
                results.append(_of_files(name, variable.value, asked, condition.sub_variable_condition, variable_pool))
            else:
                told.append({"actual_value": variable.value, "expected_value": expected, "comparison_operator": asked})
                results.append(holds(name, variable.value, asked, expected))
            if results[-1] == (operator == "or"):
                break
        return ConditionCheckResult(told, results, all(results) if operator == "and" else any(results))


# The handler of loops makes its own processor, by this name.
loop.ConditionProcessor = Conditions


class ConditionalNode(IfElseNode):
    """Takes the branch of the first case that holds, else ``false``."""

    def _evaluate_cases(self, condition_processor: ConditionProcessor, evaluation: Any) -> None:
        super()._evaluate_cases(Conditions(), evaluation)


def _filled(value: Any, pool: Any) -> Any:
    if isinstance(value, str):
        return convert_template(pool, value).text
    return [_filled(item, pool) for item in value] if isinstance(value, list | tuple) else value


def _of_files(name: str, files: Sequence[File], operator: str, within: Any, pool: Any) -> bool:
    """What a list of files is asked about the attributes of its files.

    ``contains``: each sub-condition holds of some file (one with *not* of every file). ``not contains`` is its
    opposite. ``all of``: every file meets the sub-conditions.
    """
    if not within or not within.conditions:
        raise CannotCompare(f"'{operator}' asks nothing of the files in {name}: it needs a condition on an attribute")
    joined: Callable[..., bool] = all if within.logical_operator == "and" else any
    tests = [
        attribute_test(name, one.key, one.comparison_operator, _filled(one.value, pool)) for one in within.conditions
    ]
    if operator == "all of":
        return bool(files) and all(joined(test(file) for test in tests) for file in files)
    over = [all if "not" in one.comparison_operator.split() else any for one in within.conditions]
    found = joined(quantify(test(file) for file in files) for quantify, test in zip(over, tests, strict=True))
    return found if operator == "contains" else not (found and files)


def attribute_test(name: str, key: str, operator: str, expected: Any) -> Callable[[File], bool]:
    """Return the test of one attribute of a file, in the list called ``name``. Raises CannotCompare."""
    if key not in ATTRIBUTES:
        raise CannotCompare(f"Files have no attribute '{key}'; they have {', '.join(ATTRIBUTES)}")
    bare = _bare if key == FileAttribute.EXTENSION else _as_it_is
    wanted = bare(expected)

    def test(file: File) -> bool:
        return holds(f"{name}.{key}", bare(get_attr(file=file, attr=FileAttribute(key))), operator, wanted)

    return test


def _as_it_is(value: Any) -> Any:
    return value


def _bare(extension: Any) -> Any:
    """An extension, or a list of them, without dots and in small letters."""
    if isinstance(extension, list | tuple):
        return [_bare(one) for one in extension]
    return extension.removeprefix(".").lower() if isinstance(extension, str) else extension
