"""Bodies that are meant to confuse, or to cost more than they did to send."""

from __future__ import annotations

import json
from typing import Any

import pytest

from server import bodies, json_body
from server.explain import LONGEST_NAME, MOST_DETAILS
from server.json_body import JsonBounds
from store.refusal import Refusal
from tests.server.conftest import Client, MakeClient

JSON = {"Content-Type": "application/json"}


def told(call: Client, raw: bytes) -> tuple[int, dict[str, Any]]:
    answer = call("POST", "/echo", content=raw, headers=JSON)
    return answer.status_code, answer.json()


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        (b'{"name":"a","name":"b"}', "name"),
        (b'{"name":"a","name":"a"}', "name"),
        (b'{"name":"a","n\\u0061me":"b"}', "name"),
        (b'{"name":"a:b","any":"c:d","any":1}', "any"),
        (b'{"name":"a","any":{"x":{"y":1,"z":2,"y":3}}}', "y"),
        (b'{"name":"a","any":[0,{"k":1,"k":1}]}', "k"),
        (b'{"name":"a","any":{"":1,"":2}}', ""),
        (b'{ "name" : "\\"name\\":1" , "name" : 2 }', "name"),
    ],
)
def test_a_member_that_is_given_twice_is_refused_and_named(call: Client, raw: bytes, name: str) -> None:
    status, body = told(call, raw)
    assert (status, body["code"]) == (422, "invalid_param")
    assert body["details"] == [{"type": "repeated", "loc": ["body", name], "msg": "A member should be given once"}]


@pytest.mark.parametrize(
    "raw",
    [
        b'{"name":"a","any":{"name":"b"}}',
        b'{"name":"a","any":[{"k":1},{"k":1}]}',
        b'{"name":"a:b:c","any":"\\":\\",\\"name\\":"}',
        b'{"name":"\\\\","any":"http://x:80/\\\\\\\\"}',
        b'{"name":"a","any":{":":":"}}',
    ],
)
def test_the_same_name_in_two_objects_and_colons_in_texts_are_fine(call: Client, raw: bytes) -> None:
    assert told(call, raw) == (200, {"body": json.loads(raw)})


def nested(depth: int, core: str = "") -> bytes:
    return b'{"name":"a","any":' + b"[" * (depth - 1) + core.encode() + b"]" * (depth - 1) + b"}"


@pytest.mark.parametrize(
    ("raw", "status", "kind"),
    [
        (nested(64), 200, None),
        (nested(65), 422, "too_deep"),
        (nested(900), 422, "too_deep"),
        (nested(900, '"\\u0000"'), 422, "too_deep"),
        (b'{"a":' * 900 + b"1" + b"}" * 900, 422, "too_deep"),
        (nested(100_000), 400, None),
        (b'{"name":"a","any":[' + b",".join([b"1"] * 19_998) + b"]}", 200, None),
        (b'{"name":"a","any":[' + b",".join([b"1"] * 19_999) + b"]}", 422, "too_long"),
        (b"{" + b",".join(b'"k%d":1' % number for number in range(90_000)) + b"}", 422, "too_long"),
        (b"{" + b",".join([b'"k":1'] * 90_000) + b"}", 422, "too_long"),
        (b'{"name":"a","any":' + b"9" * 5000 + b"}", 400, None),
        (b'{"name":"a","any":1e999}', 400, None),
        (b'{"name":"a","any":NaN}', 400, None),
        (b'{"name":"a","any":-Infinity}', 400, None),
        (b'{"name":"\xff"}', 400, None),
        (b'{"name":"\\ud800"}', 400, None),
        (b'\xef\xbb\xbf{"name":"a"}', 400, None),
        ('{"name":"a"}'.encode("utf-16"), 400, None),
        (b'{"name":"a"}\x00', 400, None),
    ],
)
def test_json_of_any_kind_is_taken_or_refused(call: Client, raw: bytes, status: int, kind: str | None) -> None:
    found, body = told(call, raw)
    assert found == status, body
    if status == 400:
        assert body["code"] == "malformed_json"
    if kind:
        assert [one["type"] for one in body["details"]] == [kind]


def test_what_is_over_the_bounds_is_not_checked_against_the_contract(
    call: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ninety thousand members took the validator and its explanations most of two seconds."""
    monkeypatch.setattr(bodies, "explain_all", lambda *_: pytest.fail("it was explained"))
    surplus = b",".join(b'"k%d":1' % number for number in range(90_000))
    assert told(call, b"{" + surplus + b"}")[0] == 422


def test_the_bounds_of_json_are_settings_and_one_of_them_can_be_off(make: MakeClient) -> None:
    raw = b'{"name":"a","any":[' + b",".join([b"1"] * 30_000) + b"]}"
    assert told(make(max_body_members=0), raw)[0] == 200
    assert told(make(max_body_members=10), b'{"name":"a","any":[1,2,3,4,5,6,7,8,9]}')[0] == 422
    assert told(make(max_body_depth=4), nested(5))[0] == 422


def test_a_refusal_names_so_many_mistakes_and_no_more(make: MakeClient) -> None:
    call = make(max_body_members=0)
    surplus = b",".join(b'"k%d":1' % number for number in range(5000))
    status, body = told(call, b'{"name":"a",' + surplus + b"}")
    assert (status, len(body["details"])) == (422, MOST_DETAILS)
    nul = b",".join(b'"\\u0000%d":1' % number for number in range(5000))
    status, body = told(call, b'{"name":"a","any":{' + nul + b"}}")
    assert (status, len(body["details"])) == (422, MOST_DETAILS)


def test_a_long_name_is_not_repeated_in_full(call: Client) -> None:
    status, body = told(call, b'{"name":"a","' + b"x" * 500_000 + b'":1}')
    assert (status, body["details"][0]["loc"]) == (422, ["body", "x" * LONGEST_NAME])


def test_the_names_of_members_are_counted_once_and_texts_only_where_it_is_needed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Forbidden:
        def sub(self, *_: Any) -> bytes:
            raise AssertionError("the texts were looked at")

    monkeypatch.setattr(json_body, "STRING", Forbidden())
    assert json_body.parse(b'{"inputs":{"a":[{"b":1},{"b":2}]}}', JsonBounds())
    with pytest.raises(AssertionError):
        json_body.parse(b'{"inputs":"a:b"}', JsonBounds())


def test_a_depth_that_is_set_to_the_most_is_still_one_that_everything_can_take(make: MakeClient) -> None:
    call = make(max_body_depth=200)
    assert told(call, nested(200))[0] == 200
    with pytest.raises(Refusal):
        json_body.parse(nested(201), JsonBounds(depth=200))
