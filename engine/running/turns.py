"""Questions of one conversation take turns: each is answered knowing what the one before it was answered."""

from __future__ import annotations

import threading
from collections.abc import Callable

from engine.running.live import LiveRun
from store import run_counts
from store import runs as rows


class Turns:
    """Keeps the runs that wait for earlier ones of their conversation; they take no thread meanwhile.

    ``submit`` is given each when its turn has come, or when it has ended without one.
    """

    def __init__(self, submit: Callable[[LiveRun], None]) -> None:
        self._submit = submit
        self._waiting: dict[str, tuple[LiveRun, rows.Run]] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._waiting)

    def has_come(self, live: LiveRun) -> bool:
        """Whether it is a run's turn; if not, it is kept until then."""
        row = rows.for_worker(live.context.run_id) if live.context.continues else None
        if row is None or not run_counts.ahead_of(row):
            return True
        with self._lock:
            self._waiting[row.id] = live, row
        return False

    def look(self, conversation_id: str | None = None) -> None:
        """Let go of those whose turn has come: in one conversation, or in all."""
        with self._lock:
            waiting = list(self._waiting.values())
        for live, row in waiting:
            if conversation_id not in (None, row.conversation_id):
                continue
            if live.ended.is_set() or not run_counts.ahead_of(row):
                with self._lock:
                    mine = self._waiting.pop(row.id, None)
                if mine is not None:
                    self._submit(live)
