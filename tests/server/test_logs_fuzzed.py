"""Ten thousand log lines with a secret in each: none is seen, and each record stays one line."""

from __future__ import annotations

import json
import logging
import random
import re
import string
from collections.abc import Callable
from typing import Any

import pytest
import structlog

from server.logs import configure
from store.device import ALPHABET

LINES = 10_000
NOISE = ["\n", "\r\n", "\x1b[31m", "\x1b]0;x\x07", "\u2028", "\x00", "\x85", '"', "\\", "{}", "%s", "ü", " "]


class Planted:
    """Secrets of each kind, and texts and values that hold one as it would come into a log."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def letters(self, count: int, alphabet: str = string.ascii_letters + string.digits) -> str:
        return "".join(self._random.choices(alphabet, k=count))

    def noise(self) -> str:
        return "".join(self._random.choices(NOISE, k=self._random.randrange(4)))

    def one(self) -> tuple[str, Any]:
        """A secret, and what is logged of it."""
        secret = self.letters(self._random.randrange(20, 44))
        code = "-".join(self.letters(4, ALPHABET) for _ in range(2))
        name = self._random.choice(
            ["password", "token", "access_token", "csrf_token", "api_key", "secret", "device_code"]
        )
        here = "https://host.example/openapi/v1"
        texts: list[tuple[str, Any]] = [
            (secret, f"token {self._random.choice(['dfoa_', 'dfoe_', 'dc_'])}{secret}"),
            (secret, f"Authorization: Bearer {secret}"),
            (secret, f"authorization: bearer   {secret}"),
            (secret, f"Cookie: a=1; {self._random.choice(['', '__Host-'])}difyspec_session={secret}; b=2"),
            (secret, f"Set-Cookie: difyspec_known={secret}; Path=/"),
            (code, f"no device waits for {code}"),
            (code, f"GET {here}/oauth/device/lookup?user_code={code}"),
            (secret, f"GET {here}/apps?{name}={secret}&page=2"),
            (secret, f"body: email=a%40b.example&{name}={secret}"),
            (secret, f"bad body {json.dumps({name: secret})}"),
            (secret, f"bad values { ({name: secret})!r}"),
            (secret, f"POST /form/{secret} 200"),
            (secret, f"POST /openapi/v1/apps/7/form/human_input/{secret} 409"),
            (secret, f"no connection to postgresql://server:{secret}@db.example/app"),
            (secret, {name: secret}),
            (secret, [{"deep": [{name.title(): secret}]}]),
            (secret, {"headers": {"Authorization": f"Bearer {secret}"}}),
        ]
        hidden, told = self._random.choice(texts)
        return hidden, f"{self.noise()}{told}{self.noise()}" if isinstance(told, str) else told

    def record(self) -> tuple[str, Callable[[], object]]:
        """A secret, and what logs it."""
        secret, told = self.one()
        name = self.noise()
        ours, theirs = structlog.get_logger(), logging.getLogger("library")

        def fails(local: Any) -> None:
            raise ValueError(told)

        def traced(log: Callable[..., object]) -> None:
            try:
                fails(secret)
            except ValueError:
                log("It failed", exc_info=True)

        ways: list[Callable[[], object]] = [
            lambda: ours.warning(f"event {name}", value=told),
            lambda: ours.error(told if isinstance(told, str) else "event"),
            lambda: ours.warning("event", inside={"list": [told, {"more": told}]}),
            lambda: theirs.error("library says %s", told),
            lambda: theirs.warning(f"library says {told}".replace("%", "%%")),
            lambda: traced(ours.error),
            lambda: traced(theirs.error),
        ]
        return secret, self._random.choice(ways)


@pytest.mark.parametrize("seed", range(4))
def test_no_secret_is_in_ten_thousand_lines_and_each_record_is_one(
    capsys: pytest.CaptureFixture[str], seed: int
) -> None:
    capsys.readouterr()
    configure("info", "json")
    planted, secrets = Planted(seed), list[str]()
    for _ in range(LINES // 4):
        secret, log = planted.record()
        secrets.append(secret)
        log()
    lines = capsys.readouterr().err.split("\n")
    assert lines.pop() == ""
    assert len(lines) == len(secrets)
    for secret, line in zip(secrets, lines, strict=True):
        assert isinstance(json.loads(line), dict)
        assert secret not in line
        assert not re.search(r"[\x00-\x1f\x7f\x85\u2028\u2029]", line)


def test_on_a_terminal_no_secret_and_no_control_character_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """A trace has lines of its own there; nothing else has, and nothing steers the terminal."""
    capsys.readouterr()
    configure("info", "console")
    planted, secrets = Planted(9), list[str]()
    for _ in range(1000):
        secret, log = planted.record()
        secrets.append(secret)
        log()
    text = capsys.readouterr().err
    assert [secret for secret in secrets if secret in text] == []
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\x85\u2028\u2029]", text)
    begun = [line for line in text.split("\n") if re.match(r"\d\d:\d\d:\d\d \[", line)]
    assert len(begun) == len(secrets)
