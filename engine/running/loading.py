"""Loading the engine proper, which takes about a second: not before somebody needs it, and once."""

from __future__ import annotations

import gc
import threading
from types import ModuleType

_GARBAGE = 20_000  # objects made and not freed until the collector looks; a run makes some thousand that are freed

_lock = threading.Lock()
_loaded: ModuleType | None = None


def execution() -> ModuleType:
    """Return `engine.running.execute`. Any thread may ask; the first one waits for the import."""
    global _loaded
    if _loaded is None:
        with _lock:
            if _loaded is None:
                from engine.running import execute

                # All this stays: the collector need not look through it each time it looks for garbage.
                gc.freeze()
                gc.set_threshold(_GARBAGE, 20, 20)
                _loaded = execute
    return _loaded
