"""The name under which a process holds runs, and how another process can tell that it is gone.

On one machine the kernel knows: a name holds the process id and when that process began, so that a number
used again is not mistaken for its earlier owner. On another machine only the lease can tell.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path

from store.clock import current_ids

# The names this process uses now: one for each configured engine.
_in_use: set[str] = set()


def new_name() -> str:
    """Return a name for a worker of this process; it is in use until `forget`."""
    name = f"{socket.gethostname()}/{os.getpid()}/{_began(os.getpid())}/{current_ids().token(6)}"
    _in_use.add(name)
    return name


def forget(name: str) -> None:
    """Say that a worker of this process has ended."""
    _in_use.discard(name)


def is_gone(name: str) -> bool:
    """Whether the worker certainly does not run any more; False when this machine cannot know."""
    if not name:
        return True
    host, _, rest = name.partition("/")
    pid, _, rest = rest.partition("/")
    began = rest.partition("/")[0]
    if host != socket.gethostname() or not pid.isdigit() or not began:
        return False
    if int(pid) == os.getpid() and began == _began(os.getpid()):
        return name not in _in_use
    return _began(int(pid)) != began


def _began(pid: int) -> str:
    """When a process began, in the kernel's ticks; empty when it does not run, or on other systems than Linux."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    # proc(5): field 22 of the line; the name, which may hold blanks, and the pid before it are cut off. A
    # zombie (field 3) has ended and only waits to be collected.
    return "" if fields[0] == "Z" else fields[19]
