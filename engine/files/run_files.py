"""The files one run may touch: those of whoever started it, for its app, and those it makes itself."""

from __future__ import annotations

import io
import threading
from collections.abc import Mapping
from typing import Any

from engine.files import service as files
from engine.inputs.given_files import MARK
from engine.running.context import RunContext
from store import apps
from store import files as stored
from store.files import StoredFile

# Objects of node outputs may be nested as deep as their author likes; links are made this far down.
_DEPTH = 20


class RunFiles:
    """Thread-safe. Whatever a node claims to be a file is looked up here, by the caller's own permission: an
    object that only looks like a file opens nothing.
    """

    def __init__(self, context: RunContext) -> None:
        self._context = context
        self._known: dict[str, StoredFile | None] = {}
        self._lock = threading.Lock()

    def find(self, file_id: str | None) -> StoredFile | None:
        """A file that this run may read, or None."""
        if not file_id:
            return None
        with self._lock:
            if file_id not in self._known:
                self._known[file_id] = stored.visible(self._context.caller, self._context.app_id, file_id)
            return self._known[file_id]

    def url(self, file_id: str | None) -> str | None:
        """A fresh link to a file of the run, or None."""
        file = self.find(file_id)
        return None if file is None else files.current().links.url(file.id)

    def content(self, file_id: str | None) -> bytes:
        """A file's bytes. ValueError for one that the run may not read."""
        file = self.find(file_id)
        if file is None:
            raise ValueError("There is no such file")
        return b"".join(files.current().pieces(file))

    def make(self, content: bytes, name: str, mime_type: str) -> StoredFile:
        """Store a file that a node made; it belongs to whoever started the run."""
        app = apps.for_operator_get(self._context.app_id)
        if app is None:
            raise ValueError("The app is gone")
        made = files.current().make(
            app, self._context.caller, io.BytesIO(content), len(content), name=name, mime_type=mime_type
        )
        with self._lock:
            self._known[made.id] = made
        return made

    def linked(self, value: Any, depth: int = 0) -> Any:
        """A JSON tree in which every file value that the run may read has a fresh link."""
        if isinstance(value, Mapping):
            if value.get("dify_model_identity") == MARK:
                link = self.url(value.get("related_id"))
                return {**value, "url": link or value.get("remote_url")}
            return {key: self.linked(item, depth + 1) for key, item in value.items()} if depth < _DEPTH else value
        if isinstance(value, list) and depth < _DEPTH:
            return [self.linked(item, depth + 1) for item in value]
        return value


def shown(value: Any) -> list[dict[str, Any]]:
    """The file values in a run's outputs, each once, in their order."""
    found: dict[str, dict[str, Any]] = {}
    waiting = [value]
    while waiting:
        item = waiting.pop(0)
        if isinstance(item, Mapping):
            if item.get("dify_model_identity") == MARK:
                found.setdefault(str(item.get("related_id") or item.get("remote_url")), dict(item))
            else:
                waiting = [*item.values(), *waiting]
        elif isinstance(item, list):
            waiting = [*item, *waiting]
    return list(found.values())
