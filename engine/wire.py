"""Payloads as the text that is stored and sent: links to files put in, the values of secrets taken out."""

from __future__ import annotations

from typing import Any

import orjson

from engine.context import RunContext
from engine.file_inputs import MARK
from engine.jsonable import jsonable
from engine.masking import Mask, secrets_of
from engine.run_files import RunFiles


class Wire:
    """Of one run; ``files`` are those it may show."""

    def __init__(self, context: RunContext, files: RunFiles) -> None:
        self._mask, self._files = Mask(secrets_of(context.document)), files

    def __call__(self, payload: Any) -> str:
        """Return JSON on one line."""
        tree = jsonable(payload)
        text = orjson.dumps(tree).decode()
        if MARK in text:
            text = orjson.dumps(self._files.linked(tree)).decode()
        return self._mask(text)
