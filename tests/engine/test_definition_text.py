"""What the text of a definition may and may not be."""

from __future__ import annotations

import json
import tracemalloc

import pytest

from engine.definition import yaml_caps
from engine.definition.reading import DefinitionError, load
from engine.definition.yaml_guard import read

CHAT = "version: '0.6.0'\nkind: app\napp: {name: N, mode: chat}\nmodel_config:\n  pre_prompt: hi\n"


def refused(source: str | bytes) -> DefinitionError:
    with pytest.raises(DefinitionError) as caught:
        load(source)
    return caught.value


def test_a_text_larger_than_ten_megabytes_is_refused_before_it_is_parsed() -> None:
    assert refused("#" * (yaml_caps.MAX_BYTES + 1)).message == "Invalid YAML format: larger than 10 MB"
    assert refused(b"#" * (yaml_caps.MAX_BYTES + 1)).message == "Invalid YAML format: larger than 10 MB"


@pytest.mark.parametrize("source", ["[" * 5000, '{"a":' * 100_000, "- " * 5000 + "x"])
def test_deep_nesting_is_refused_without_a_recursion_error(source: str) -> None:
    assert "levels deep" in refused(source).message


def test_depth_is_counted_through_aliases() -> None:
    chain = "a: &a0 {x: 1}\n" + "".join(f"b{i}: &a{i + 1} {{x: *a{i}}}\n" for i in range(200))
    assert "levels deep" in refused(chain).message


@pytest.mark.parametrize(
    "source",
    [
        "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n"
        + "".join(f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 10)),
        "a0: &a0 {x: 1, y: 2}\n"
        + "".join(f"a{i}: &a{i} {{<<: [{','.join([f'*a{i - 1}'] * 10)}]}}\n" for i in range(1, 10)),
        f"a: &a {'x' * 1_000_000}\nb: [{','.join(['*a'] * 1000)}]\n",
    ],
    ids=["lists", "merges", "long text"],
)
def test_an_alias_bomb_is_refused_and_costs_little_memory(source: str) -> None:
    tracemalloc.start()
    try:
        assert "values" in refused(source).message
        assert tracemalloc.get_traced_memory()[1] < 50_000_000
    finally:
        tracemalloc.stop()


def test_an_alias_to_itself_is_refused() -> None:
    assert "refers to nothing, or to itself" in refused("a: &a [*a]").message


@pytest.mark.parametrize(
    "source",
    ["a: !!python/object/apply:os.system [ls]", "a: !!python/name:os.system x", "a: !mine x", "a: !!set {x}"],
)
def test_tags_are_refused(source: str) -> None:
    error = refused(source)
    assert "is not allowed" in error.message
    assert error.line == 1


@pytest.mark.parametrize("source", ["app: {}\nkind: app\napp: {}\n", '{"app": {}, "app": {}}'])
def test_a_key_given_twice_is_refused(source: str) -> None:
    error = refused(source)
    assert "'app' is given twice" in error.message
    assert error.key == "app"


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (".nan", "finite"),
        (".inf", "finite"),
        ("9" * 20, "64 bits"),
        ("9" * 5000, "64 bits"),
        ('"\\0"', "NUL"),
    ],
)
def test_values_that_json_cannot_carry_are_refused_with_their_key(value: str, why: str) -> None:
    error = refused(CHAT + f"  model:\n    x: [1, {value}]\n")
    assert why in error.message
    assert error.key == "model_config.model.x[1]"
    assert error.line == 7


def test_broken_yaml_names_the_line() -> None:
    error = refused("a: 1\nb: [\n")
    assert error.message.startswith("Invalid YAML format: ")
    assert error.line == 3


def test_text_that_is_not_utf8_names_the_line() -> None:
    error = refused(b"a: 1\nb: \xff\n")
    assert error.message == "Invalid YAML format: the text is not UTF-8"
    assert error.line == 2


@pytest.mark.parametrize("source", ["", "- 1", "text", "# only a comment"])
def test_a_document_that_is_no_mapping_is_refused(source: str) -> None:
    assert refused(source).message == "Invalid YAML format: content must be a mapping"


def test_two_documents_in_one_text_are_refused() -> None:
    assert "Invalid YAML format" in refused("a: 1\n---\nb: 2\n").message


def test_keys_and_dates_stay_the_text_they_were() -> None:
    value, _ = read("on: 1\n1: 2\nday: 2026-01-02\n")
    assert value == {"on": 1, "1": 2, "day": "2026-01-02"}


def test_merges_and_aliases_become_plain_separate_values() -> None:
    value, _ = read("a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\nc: *a\n")
    assert value == {"a": {"x": 1, "y": 2}, "b": {"x": 1, "y": 3}, "c": {"x": 1, "y": 2}}
    assert value["a"] is not value["c"]


def test_json_reads_like_yaml_and_knows_surrogate_pairs() -> None:
    app = {
        "version": "0.6.0",
        "kind": "app",
        "app": {"name": "N 😀", "mode": "chat"},
        "model_config": {"a": 1},
    }
    assert load(json.dumps(app)).name == "N 😀"
    assert "half a character" in refused('{"app": "\\ud83d"}').message


def test_a_byte_order_mark_does_no_harm() -> None:
    assert load("\ufeff" + CHAT).mode == "chat"
    assert load(b"\xef\xbb\xbf" + CHAT.encode()).mode == "chat"
