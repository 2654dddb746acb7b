"""Parameters and bodies arrive checked, converted and in one spelling."""

from __future__ import annotations

from typing import Any

import pytest

from tests.server.conftest import Client

UUID = "3a1c5f7e-1111-4222-8333-44445555abcd"


def wrong(call: Client, query: str, **options: Any) -> list[tuple[str, list[str]]]:
    answer = call("GET", f"/echo{query}", **options)
    assert answer.status_code == 422, answer.text
    return [(item["type"], item["loc"]) for item in answer.json()["details"]]


def test_parameters_are_converted_and_defaults_filled_in(call: Client) -> None:
    answer = call("GET", "/echo?ratio=0.5&deep=true", headers={"Last-Event-ID": "7", "Cookie": "flavour=oat"})
    assert answer.json() == {"page": 1, "ratio": 0.5, "deep": True, "last_event_id": 7, "flavour": "oat"}


@pytest.mark.parametrize(
    ("query", "kind", "name"),
    [
        ("?other=1", "extra_forbidden", "other"),
        ("?page=1&page=2", "repeated", "page"),
        ("?page=", "int_parsing", "page"),
        ("?page=1.0", "int_parsing", "page"),
        ("?page=+5", "int_parsing", "page"),
        ("?page=%D9%A1", "int_parsing", "page"),
        ("?page=0", "greater_than_equal", "page"),
        ("?page=99999999999999999999", "less_than_equal", "page"),
        ("?page=" + "9" * 5000, "int_parsing", "page"),
        ("?ratio=nan", "float_parsing", "ratio"),
        ("?deep=maybe", "bool_parsing", "deep"),
        ("?name=123456789", "string_too_long", "name"),
        ("?name=a%00b", "string_control_characters", "name"),
        ("?owner=me", "uuid_parsing", "owner"),
        ("?fields=a,z", "enum", "fields"),
        ("?fields=", "enum", "fields"),
    ],
)
def test_a_wrong_query_parameter_is_named(call: Client, query: str, kind: str, name: str) -> None:
    found = wrong(call, query)
    assert found[0][0] == kind
    assert found[0][1][:2] == ["query", name]


def test_all_violations_are_told_at_once(call: Client) -> None:
    assert len(wrong(call, "?page=0&deep=x&other=1")) == 3


def test_a_query_that_is_not_utf8_is_a_bad_request(call: Client) -> None:
    assert call("GET", "/echo?name=%ff").json()["code"] == "bad_request"


def test_an_array_comes_as_a_comma_list_or_repeated(call: Client) -> None:
    for query in ("?fields=a,b", "?fields=a&fields=b", "?fields=a%2Cb"):
        assert call("GET", f"/echo{query}").json()["fields"] == ["a", "b"]


def test_a_uuid_comes_in_one_spelling(call: Client) -> None:
    for spelling in (UUID, UUID.upper(), UUID.replace("-", "")):
        assert call("GET", f"/things/{spelling}").json()["thing_id"] == UUID
        assert call("GET", f"/echo?owner={spelling}").json()["owner"] == UUID
        assert call("POST", "/echo", json={"name": "a", "ref": spelling}).json()["body"]["ref"] == UUID


@pytest.mark.parametrize("bad", ["me", "1", UUID + "0", "%00", UUID[:-1] + "%2F", "{" + UUID + "}", "%ff"])
def test_a_malformed_id_is_not_found(call: Client, bad: str) -> None:
    assert call("GET", f"/things/{bad}").status_code == 404


def test_a_malformed_id_is_named_in_the_hint(call: Client) -> None:
    assert call("GET", "/things/me").json()["hint"] == "thing_id in the path does not have the form it needs."


def test_a_literal_path_lends_its_place_only_to_its_own_methods(call: Client) -> None:
    assert call("DELETE", "/things/special").status_code == 204
    assert call("GET", "/things/special").status_code == 405


@pytest.mark.parametrize(
    ("body", "kind", "loc"),
    [
        ({}, "missing", ["body", "name"]),
        ({"name": ""}, "string_too_short", ["body", "name"]),
        ({"name": "12345678901"}, "string_too_long", ["body", "name"]),
        ({"name": 1}, "string_type", ["body", "name"]),
        ({"name": "a", "x": 1}, "extra_forbidden", ["body", "x"]),
        ({"name": "a", "size": -1}, "greater_than_equal", ["body", "size"]),
        ({"name": "a", "size": 2**31}, "less_than_equal", ["body", "size"]),
        ({"name": "a", "size": "1"}, "int_type", ["body", "size"]),
        ({"name": "a", "ref": "x"}, "uuid_parsing", ["body", "ref"]),
        ({"name": "a", "child": {"name": "b", "child": {}}}, "missing", ["body", "child", "child", "name"]),
        ({"name": "a", "any": ["x", {"y": "\x00"}]}, "string_control_characters", ["body", "any", 1, "y"]),
        ([], "dict_type", ["body"]),
        (None, "dict_type", ["body"]),
    ],
)
def test_a_wrong_member_is_named(call: Client, body: Any, kind: str, loc: list[Any]) -> None:
    answer = call("POST", "/echo", json=body)
    if body is None:
        answer = call("POST", "/echo", content=b"null", headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert (answer.json()["details"][0]["type"], answer.json()["details"][0]["loc"]) == (kind, loc)


def test_the_rejected_value_is_not_repeated(call: Client) -> None:
    assert "hunter2hunter2" not in call("POST", "/echo", json={"name": "hunter2hunter2"}).text


def test_null_is_allowed_where_the_contract_says_so(call: Client) -> None:
    assert call("POST", "/echo", json={"name": "a", "size": None}).status_code == 200


def test_a_form_is_read_like_json(call: Client) -> None:
    assert call("POST", "/echo", data={"name": "a b", "size": "3"}).json() == {"body": {"name": "a b", "size": 3}}
    answer = call("POST", "/echo", data={"size": "x"})
    assert {item["type"] for item in answer.json()["details"]} == {"missing", "int_type"}


def test_a_form_field_given_twice_is_refused(call: Client) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = call("POST", "/echo", content=b"name=a&name=b", headers=form)
    assert answer.json()["details"][0]["type"] == "repeated"
    assert call("POST", "/echo", content=b"name=a&name=a", headers=form).json() == {"body": {"name": "a"}}


def test_a_body_without_a_media_type_is_taken_as_json(call: Client) -> None:
    assert call("POST", "/echo", content=b'{"name":"a"}').json() == {"body": {"name": "a"}}


def test_a_sync_handler_sees_the_request_in_its_thread(call: Client) -> None:
    answer = call("GET", f"/things/{UUID}", headers={"X-Seen": "yes"})
    assert answer.json()["seen"] == "yes"
    assert answer.headers["etag"] == '"1"'


def test_the_message_alone_says_which_member_is_wrong(call: Client) -> None:
    assert call("GET", "/echo?page=0").json()["message"] == "page: Input should be greater than or equal to 1"
    two = call("GET", "/echo?page=0&other=1").json()
    assert two["message"].endswith(" (and 1 more in details)")
    assert len(two["details"]) == 2
