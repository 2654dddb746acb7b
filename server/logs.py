"""Logs: structlog over everything, one line per event, with the request's id and without secrets."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import sys
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, Processor

from server.request_id import CURRENT
from store.device import ALPHABET

HIDDEN = "[hidden]"
MOST = 500  # characters of a value in a line
SECRET_KEYS = frozenset(
    {
        "access_token", "api_key", "authorization", "cookie", "csrf_token", "device_code", "password",
        "secret",
        "secret_key", "set-cookie", "token", "user_code", "x-csrf-token",
    }
)  # fmt: skip
# Those of one word; what headers carry has a form of its own.
_NAMES = "|".join(sorted(SECRET_KEYS - {"authorization", "cookie", "set-cookie", "x-csrf-token"}))
SECRETS = re.compile(
    r"(df[oe][ae]?_|dc_)[A-Za-z0-9_-]{6,}"  # tokens and device codes
    r"|(?P<kept>(?i:(?:bearer|basic)\s+))[A-Za-z0-9._~+/=-]{16,}"
    r"|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"  # credentials in a URL
    r"|(?<=difyspec_session=)[^;\s]+|(?<=difyspec_known=)[^;\s]+"
    r"|(?<=/form/)(?!human_input)[^/\s?]+|(?<=/form/human_input/)[^/\s?]+"  # whoever has a form's token may answer it
    # What stands behind the name of a secret in a query, a form, JSON, or a dictionary as Python writes it.
    rf"|(?P<named>(?i:(?:{_NAMES})(?:=|\\*[\"']\s*:\s*\\*[\"'])))[^&;\s\"'\\]+"
    rf"|(?<![A-Za-z0-9-])[{ALPHABET}]{{4}}-[{ALPHABET}]{{4}}(?![A-Za-z0-9-])"  # user codes
)
# What would begin a line, or steer a terminal; JSON has escapes for all of it.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")


def redact(value: Any) -> Any:
    """The value with every secret in it replaced; strings, dicts and lists are looked into."""
    if isinstance(value, str):
        return SECRETS.sub(lambda found: (found["kept"] or found["named"] or "") + HIDDEN, value)
    if isinstance(value, dict):
        return {key: HIDDEN if str(key).lower() in SECRET_KEYS else redact(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [redact(item) for item in value]
    return value


def _plain(value: Any, lines: bool) -> Any:
    """The value without control characters in its strings; with ``lines`` it keeps its line ends."""
    if isinstance(value, str):
        text = _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", value)
        return text if lines else text.replace("\n", "\\n").replace("\t", "\\t")
    if isinstance(value, dict):
        return {_plain(str(key), lines): _plain(item, lines) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item, lines) for item in value]
    return value


def _on_a_terminal(_logger: Any, _name: str, event: EventDict) -> EventDict:
    return {key: _plain(value, key == "exception") for key, value in event.items()}


def _redacted(_logger: Any, _name: str, event: EventDict) -> EventDict:
    hidden: EventDict = redact(event)
    return hidden


def _bounded(_logger: Any, _name: str, event: EventDict) -> EventDict:
    """Strangers choose addresses, names and much of what is said of errors: none of it makes a long line."""
    for key, value in event.items():
        if isinstance(value, str) and len(value) > MOST and key not in ("event", "exception", "stack"):
            event[key] = f"{value[:MOST]}… ({len(value)} characters)"
    return event


def _request(_logger: Any, _name: str, event: EventDict) -> EventDict:
    name = CURRENT.get()
    if name is not None:
        event.setdefault("request_id", name)
    return event


class _Lines(structlog.PrintLogger):
    """Writes lines. One that cannot be written (the disk is full, nobody reads any more) is lost, and nothing else:
    no request fails for it.
    """

    def msg(self, message: str) -> None:
        with contextlib.suppress(OSError):
            super().msg(message)

    log = debug = info = warn = warning = msg
    fatal = failure = err = error = critical = exception = msg


class _Stderr(logging.StreamHandler[TextIO]):
    """Writes to what is standard error now: one that was replaced since may be closed."""

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


def configure(level: str, form: str) -> None:
    """Set logging up once. In: the least level, and ``console``, ``json`` or ``auto`` (console on a
    terminal).
    """
    number = logging.getLevelNamesMapping()[level.upper()]
    pretty = form == "console" or (form == "auto" and sys.stderr.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        _request,
        structlog.stdlib.add_log_level,
        # Whoever looks at a terminal knows the day.
        structlog.processors.TimeStamper(fmt="%H:%M:%S" if pretty else "iso", utc=not pretty),
    ]
    # Traces become text before they are searched for secrets: an exception's message may hold one.
    last: list[Processor] = [structlog.processors.format_exc_info, _redacted, _bounded]
    renderer: Processor = structlog.processors.JSONRenderer()
    if pretty:
        last.append(_on_a_terminal)
        colours = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
        renderer = structlog.dev.ConsoleRenderer(colors=colours, sort_keys=False, pad_event_to=0, pad_level=False)
    structlog.configure(
        processors=[*shared, *last, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=lambda *_: _Lines(sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = _Stderr()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last, renderer],
        )
    )
    # Its warnings tell, per request, what the contract says about media types; its errors we log ourselves.
    logging.getLogger("connexion").setLevel(logging.CRITICAL)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(number, logging.WARNING))
