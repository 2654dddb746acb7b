"""Logs name the request and hide secrets."""

from __future__ import annotations

import io
import json
import logging
import re

import pytest
import structlog

from server.logs import redact
from tests.server.conftest import MakeClient


@pytest.mark.parametrize(
    "text",
    [
        "token dfoa_abcdefghijklmnop",
        "token dfoe_abcdefghijklmnop",
        "code dc_abcdefghijklmnop",
        "Authorization: Bearer abcdefghijklmnop",
        "Cookie: a=1; difyspec_session=abcdefghijklmnop; b=2",
        "GET /openapi/v1/apps/7/form/human_input/abcdefghijklmnop 200",
        "GET /form/abcdefghijklmnop 200",
        "postgresql://abcdefgh:abcdefghijklmnop@db/x",
    ],
)
def test_a_secret_in_a_text_is_hidden(text: str) -> None:
    assert "abcdefghijklmnop" not in redact(text)


def test_a_secret_member_is_hidden_at_any_depth() -> None:
    told = redact({"a": [{"Password": "x", "name": "n"}], "user_code": "ABCD-EFGH"})
    assert told == {"a": [{"Password": "[hidden]", "name": "n"}], "user_code": "[hidden]"}


def test_plain_words_stay() -> None:
    told = {"path": "/token", "text": "the bearer of news; dc_ and dfoa_ are prefixes; http://host:80/x@y"}
    assert redact(told) == told


def test_a_request_is_one_line_with_its_name(capsys: pytest.CaptureFixture[str], make: MakeClient) -> None:
    call = make(access_log=True, log_format="json")
    capsys.readouterr()
    answer = call("GET", "/nothing?token=dfoa_abcdefghijklmnop")
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert len(lines) == 1
    assert lines[0]["request_id"] == answer.headers["x-request-id"]
    assert (lines[0]["method"], lines[0]["path"], lines[0]["status"]) == ("GET", "/tiny/nothing", 404)
    assert "dfoa_abc" not in str(lines)


def test_a_long_address_makes_no_long_line(capsys: pytest.CaptureFixture[str], make: MakeClient) -> None:
    call = make(access_log=True, log_format="json")
    capsys.readouterr()
    call("GET", "/" + "%00" * 2700)
    [line] = capsys.readouterr().err.splitlines()
    assert json.loads(line)["path"].endswith("… (2706 characters)")
    assert len(line) < 4000


def test_a_request_on_a_terminal_is_a_short_line(capsys: pytest.CaptureFixture[str], make: MakeClient) -> None:
    call = make(access_log=True, log_format="console")
    capsys.readouterr()
    call("GET", "/nothing")
    line = r"\d\d:\d\d:\d\d \[info\] request method=GET path=/tiny/nothing status=404 ms=[\d.]+ request_id=\S+\n"
    assert re.fullmatch(line, capsys.readouterr().err)


def test_a_line_that_cannot_be_written_is_lost_and_nothing_else(
    make: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(28, "No space left on device")

    make(log_format="json")
    monkeypatch.setattr("sys.stderr", Full())
    structlog.get_logger().error("lost")
    logging.getLogger("engine").error("lost")
