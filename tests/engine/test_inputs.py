"""What a run accepts as inputs, and the exact texts it refuses with."""

from __future__ import annotations

import math
from typing import Any

import pytest

from engine.inputs.declared import check, variables
from store.refusal import Refusal

URL = {"transfer_method": "remote_url", "url": "https://img.example/cat.png"}
UPLOAD = {"transfer_method": "local_file", "upload_file_id": "0d0f7a36-9d5e-4b53-9f0a-1f4b9b9f2d11"}


def start(*declared: dict[str, Any]) -> dict[str, Any]:
    """A workflow document whose start node declares these variables."""
    node = {"id": "s", "data": {"type": "start", "variables": list(declared)}}
    return {"mode": "workflow", "graph": {"nodes": [node], "edges": []}}


def one(kind: str, **config: Any) -> dict[str, Any]:
    """A workflow document with one variable, ``v``."""
    return start({"variable": "v", "type": kind, **config})


def form(kind: str, **config: Any) -> dict[str, Any]:
    """A chat document with one variable, ``v``."""
    return {"mode": "chat", "model_config": {"user_input_form": [{kind: {"variable": "v", **config}}]}}


def refusal(document: dict[str, Any], inputs: Any) -> Refusal:
    """The refusal of these inputs, its details checked."""
    with pytest.raises(Refusal) as caught:
        check(document, inputs)
    assert (caught.value.code, caught.value.status) == ("invalid_param", 422)
    (detail,) = caught.value.details or []
    assert detail["msg"] == caught.value.message
    assert detail["type"]
    return caught.value


@pytest.mark.parametrize(
    ("kind", "config", "value", "message"),
    [
        ("text-input", {"required": True}, None, "v is required in input form"),
        ("file", {"required": True}, None, "v is required in input form"),
        ("json_object", {"required": True}, None, "v is required in input form"),
        ("text-input", {}, 5, "(type 'text-input') v in input form must be a string"),
        ("paragraph", {}, ["x"], "(type 'paragraph') v in input form must be a string"),
        ("text-input", {"max_length": 3}, "four", "v in input form must be less than 3 characters"),
        ("select", {"options": ["A"]}, 5, "(type 'select') v in input form must be a string"),
        ("select", {"options": ["A", "B"]}, "C", "v in input form must be one of the following: ['A', 'B']"),
        ("select", {}, "C", "v in input form must be one of the following: []"),
        ("number", {}, "five", "v in input form must be a valid number"),
        ("number", {}, "1_000", "v in input form must be a valid number"),
        ("number", {}, "nan", "v in input form must be a valid number"),
        ("number", {}, math.inf, "v in input form must be a valid number"),
        ("number", {}, "1.0e999", "v in input form must be a valid number"),
        ("number", {}, 2**63, "v in input form must be a valid number"),
        ("number", {}, "9" * 5000, "v in input form must be a valid number"),
        ("number", {}, [1], "expected value type int, float or str, got list, value: [1]"),
        ("checkbox", {}, "maybe", "(type 'checkbox') v in input form must be a boolean"),
        ("checkbox", {}, 2, "(type 'checkbox') v in input form must be a boolean"),
        ("checkbox", {}, {"a": 1}, "Invalid input type for ['v']"),
        ("checkbox", {}, [{"a": 1}], "Invalid input type for ['v']"),
        ("json_object", {}, [1], "v in input form must be a dict"),
        ("json_object", {}, "{}", "v in input form must be a dict"),
        ("json_object", {}, [], "JSON object for 'v' must be an object"),
        (
            "json_object",
            {"json_schema": {"type": "object", "required": ["a"]}},
            {},
            "JSON object for 'v' does not match schema: \"a\" is a required property",
        ),
        ("file", {}, "x", "v in input form must be a file"),
        ("file", {}, [URL], "v in input form must be a file"),
        ("file", {}, {"url": "https://x.example/"}, "transfer_method is required in file mapping"),
        ("file", {}, {"transfer_method": "remote_url"}, "Invalid file url"),
        ("file", {}, {"transfer_method": "remote_url", "url": "ftp://x.example/"}, "Invalid file url"),
        ("file", {}, {"transfer_method": "remote_url", "url": "http://[x"}, "Invalid file url"),
        (
            "file",
            {},
            {"transfer_method": "remote_url", "url": "https://x.example/a\r\nb"},
            "Invalid file url",
        ),
        ("file", {}, {"transfer_method": "local_file"}, "Invalid upload file id"),
        (
            "file",
            {},
            {"transfer_method": "local_file", "upload_file_id": "7"},
            "Invalid upload file id format",
        ),
        ("file", {}, {"transfer_method": "carrier_pigeon"}, "Invalid transfer method: carrier_pigeon"),
        ("file", {}, {**URL, "type": "smell"}, "Invalid file type: smell"),
        ("file", {}, {**URL, "transfer_method": ["remote_url"]}, "Invalid transfer method: ['remote_url']"),
        (
            "file",
            {"allowed_file_types": ["document"]},
            {**URL, "type": "image"},
            "File validation failed for file: https://img.example/cat.png",
        ),
        (
            "file",
            {"allowed_file_upload_methods": ["local_file"]},
            URL,
            "File validation failed for file: https://img.example/cat.png",
        ),
        ("file-list", {}, URL, "v in input form must be a list of files"),
        ("file-list", {}, ["x"], "v in input form must be a list of files"),
        ("file-list", {"max_length": 1}, [URL, URL], "v in input form must be less than 1 files"),
        ("file-list", {}, [{"transfer_method": "local_file"}], "Invalid upload file id"),
    ],
)
def test_a_bad_value_is_refused_with_the_text_clients_know(
    kind: str, config: dict[str, Any], value: Any, message: str
) -> None:
    refused = refusal(one(kind, **config), {"v": value})
    assert refused.message == message
    assert (refused.details or [])[0]["loc"] == ["body", "inputs", "v"]


@pytest.mark.parametrize(
    ("kind", "config", "value", "result"),
    [
        ("text-input", {"required": True}, "", ""),
        ("text-input", {"max_length": 3}, "äöü", "äöü"),
        ("text-input", {"max_length": 0}, "x" * 999, "x" * 999),
        ("text-input", {}, "a\0b", "ab"),
        ("select", {"options": ["A", "B"]}, "B", "B"),
        ("select", {"options": [1, 2]}, "2", "2"),
        ("number", {}, 5, 5),
        ("number", {}, 2.5, 2.5),
        ("number", {}, True, 1),
        ("number", {}, " 12 ", 12),
        ("number", {}, "-1.50", -1.5),
        ("number", {}, "  ", None),
        ("number", {}, 2**63 - 1, 2**63 - 1),
        ("checkbox", {}, True, True),
        ("checkbox", {}, "YES", True),
        ("checkbox", {}, "off", False),
        ("checkbox", {}, 1, True),
        ("checkbox", {}, 0, False),
        ("checkbox", {}, "", None),
        ("json_object", {}, {"a": {"b": "x\0"}}, {"a": {"b": "x"}}),
        ("json_object", {"json_schema": '{"required": ["a"]}'}, {"a": 1}, {"a": 1}),
        ("external_data_tool", {"required": True}, None, None),
        ("file", {}, URL, URL),
        ("file", {}, {**URL, "type": "image", "id": "7"}, {**URL, "type": "image", "id": "7"}),
        ("file", {}, {"transfer_method": "remote_url", "remote_url": URL["url"]}, URL),
        ("file", {}, {"transfer_method": "local_file", "related_id": UPLOAD["upload_file_id"]}, UPLOAD),
        ("file", {}, {**UPLOAD, "upload_file_id": UPLOAD["upload_file_id"].upper()}, UPLOAD),
        ("file", {}, "", None),
        ("file", {"allowed_file_types": ["image"]}, URL, URL),
        ("file", {"allowed_file_types": ["custom"]}, {**URL, "type": "image"}, {**URL, "type": "image"}),
        ("file-list", {"max_length": 2}, [URL, UPLOAD], [URL, UPLOAD]),
        ("file-list", {}, [{}, {"transfer_method": "remote_url"}, URL], [URL]),
        ("file-list", {"required": True}, [], []),
    ],
)
def test_a_good_value_is_converted(kind: str, config: dict[str, Any], value: Any, result: Any) -> None:
    found = check(one(kind, **config), {"v": value})["v"]
    assert found == result
    assert type(found) is type(result)


@pytest.mark.parametrize("make", [one, form])
def test_defaults_are_applied_in_every_mode(make: Any) -> None:
    assert check(make("text-input", default="x"), {}) == {"v": "x"}
    assert check(make("number", default="7"), {"v": None}) == {"v": 7}
    assert check(make("checkbox", default=False), {}) == {"v": False}
    assert check(make("text-input"), {}) == {"v": None}


def test_an_empty_default_of_a_select_is_no_default() -> None:
    assert check(form("select", options=["A"], default=""), {}) == {"v": None}


def test_a_default_does_not_satisfy_required() -> None:
    assert refusal(one("text-input", required=True, default="x"), {}).message == "v is required in input form"


def test_undeclared_keys_are_dropped() -> None:
    assert check(one("text-input"), {"v": "x", "w": {"deep": 1}, "": 2}) == {"v": "x"}


def test_the_first_problem_in_declared_order_ends_the_check() -> None:
    document = start({"variable": "a", "type": "number"}, {"variable": "b", "type": "text-input", "required": True})
    assert refusal(document, {"a": "x"}).message == "a in input form must be a valid number"


@pytest.mark.parametrize("inputs", [[], "x", 5])
def test_inputs_that_are_no_object_are_refused(inputs: Any) -> None:
    refused = refusal(one("text-input"), inputs)
    assert (refused.details or [])[0]["loc"] == ["body", "inputs"]


def test_a_pattern_that_backtracks_for_ever_cannot_hang_a_request() -> None:
    document = one("json_object", json_schema={"properties": {"a": {"pattern": "^(a+)+(?=b)$"}}})
    # 2 to the power of 5000 steps.
    refusal(document, {"v": {"a": "a" * 5000 + "!"}})


def test_a_long_reason_is_cut() -> None:
    document = one("json_object", json_schema={"properties": {"a": {"type": "number"}}})
    assert len(refusal(document, {"v": {"a": "x" * 100_000}}).message) < 600


def test_damaged_declarations_are_passed_over() -> None:
    document = start({"type": "number"}, {"variable": 5}, {"variable": "ok", "type": None})  # type: ignore[arg-type]
    document["graph"]["nodes"][0]["data"]["variables"].append("junk")
    assert [(v.name, v.type) for v in variables(document)] == [("ok", "text-input")]
    assert variables({}) == []
    assert variables({"mode": "chat", "model_config": {"user_input_form": [{"a": 1}, {}, {"text-input": None}]}}) == []


def test_a_name_declared_twice_counts_once_with_its_last_meaning() -> None:
    document = start({"variable": "a", "type": "number"}, {"variable": "a", "type": "paragraph"})
    assert [(v.name, v.type) for v in variables(document)] == [("a", "paragraph")]
