"""Payloads as the text that is stored and sent: links to files put in, the values of secrets taken out."""

from __future__ import annotations

import re
from typing import Any

import orjson

from engine.events.jsonable import jsonable
from engine.events.masking import Mask, secrets_of
from engine.files.run_files import RunFiles
from engine.inputs.given_files import MARK
from engine.running.context import RunContext

# What many readers take for the end of a line, though neither JSON nor server-sent events do.
_BREAKS = re.compile("[\x85\u2028\u2029]")
# The rest of what orjson knows to write is for `jsonable` to put into words.
_PLAIN = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_SUBCLASS


class Wire:
    """Of one run; ``files`` are those it may show."""

    def __init__(self, context: RunContext, files: RunFiles) -> None:
        self._mask, self._files = Mask(secrets_of(context.document)), files

    def __call__(self, payload: Any) -> str:
        """Return JSON on one line."""
        line = self._mask(text(payload))
        if MARK in line:
            # A link is of the server's own making: no secret is in it, whatever its letters are.
            line = text(self._files.linked(orjson.loads(line)))
        return line


def text(payload: Any) -> str:
    """Return JSON on one line: what `jsonable` makes of the payload, at a third of the cost if it is plain."""
    try:
        line = orjson.dumps(payload, option=_PLAIN).decode()
    except TypeError:
        # Something that JSON has no word for, or text that cannot be sent: looking at each member takes time.
        line = orjson.dumps(jsonable(payload)).decode()
    return line if line.isascii() else _BREAKS.sub(lambda found: f"\\u{ord(found[0]):04x}", line)
