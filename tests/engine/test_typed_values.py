"""Values that an author wrote as text, read as the type that they are declared to have."""

from __future__ import annotations

from typing import Any

import pytest

from engine.definition.adapt import node_data
from engine.definition.typed_values import typed
from tests.engine.graphs import code

READ: list[tuple[str, Any, Any]] = [
    ("string", "a", "a"), ("string", 5, "5"), ("string", True, "true"), ("string", {"a": 1}, '{"a": 1}'),
    ("string", None, ""), ("secret", 123, "123"),
    ("number", 5, 5), ("number", "5", 5), ("number", " 2.5 ", 2.5), ("number", "", 0), ("integer", "7", 7),
    ("boolean", "true", True), ("boolean", "False", False), ("boolean", 1, True), ("boolean", None, False),
    ("object", '{"a": 1}', {"a": 1}), ("object", {"a": 1}, {"a": 1}), ("object", "", {}),
    ("array[string]", '["a"]', ["a"]), ("array[string]", [1], ["1"]), ("array[string]", None, []),
    ("array[number]", [1, "2"], [1, 2]), ("array[boolean]", ["true"], [True]), ("array[object]", [{}], [{}]),
    ("array[file]", "[]", []), ("array[any]", [1, "a"], [1, "a"]), ("array[object]", [None], [None]),
]  # fmt: skip
UNREADABLE: list[tuple[str, Any, str]] = [
    ("number", "many", "'many' is no number"), ("number", True, "'true' is no number"),
    ("boolean", "maybe", "'maybe' is no boolean"), ("object", "[1]", "'[1]' is no object"),
    ("array[string]", "a", "'a' is no list"), ("array[number]", ["x"], "'x' is no number"),
    ("array[object]", [1], "'1' is no object"),
]  # fmt: skip


@pytest.mark.parametrize("case", READ, ids=str)
def test_a_value_is_read_as_its_type(case: tuple[str, Any, Any]) -> None:
    kind, value, read = case
    found = typed(kind, value)
    assert (found, type(found)) == (read, type(read))


@pytest.mark.parametrize("case", UNREADABLE, ids=str)
def test_a_value_of_another_type_is_refused_in_words(case: tuple[str, Any, str]) -> None:
    with pytest.raises(ValueError, match="is no") as refused:
        typed(case[0], case[1])
    assert str(refused.value) == case[2]


def test_default_values_are_read_as_their_types_and_what_cannot_be_is_left_out_and_told() -> None:
    made = code("c", "", error_strategy="default-value")
    given = [
        {"key": "n", "type": "number", "value": "5"},
        {"key": "b", "type": "boolean", "value": "true"},
        {"key": "o", "type": "object", "value": "no"},
        {"type": "string", "value": "of no name"},
    ]
    made["data"]["default_value"] = given
    warnings: list[str] = []
    node_data(made, warnings)
    # The engine has no booleans among its types; of the last one it takes any value.
    assert made["data"]["default_value"] == [
        {"key": "n", "type": "number", "value": 5},
        {"key": "b", "type": "array[file]", "value": True},
    ]
    assert warnings == ["The default value 'o' of the node 'c' was left out: 'no' is no object."]
