"""The name under which a process holds runs, and how another process can tell that it is gone.

Where both see the same processes the kernel knows: a name holds the process id and when that process began, so
that a number used again is not mistaken for its earlier owner. On another machine, and in another container (which
may well have the same host name), only the lease can tell.
"""

from __future__ import annotations

import os
import socket
from functools import cache
from pathlib import Path

from store.clock import current_ids

# The names this process uses now: one for each configured engine.
_in_use: set[str] = set()


def new_name() -> str:
    """Return a name for a worker of this process; it is in use until `forget`."""
    name = f"{_place()}/{os.getpid()}/{_began(os.getpid())}/{current_ids().token(6)}"
    _in_use.add(name)
    return name


def forget(name: str) -> None:
    """Say that a worker of this process has ended."""
    _in_use.discard(name)


def is_gone(name: str) -> bool:
    """Whether the worker certainly does not run any more; False when this machine cannot know."""
    if not name:
        return True
    place, _, rest = name.partition("/")
    pid, _, rest = rest.partition("/")
    began = rest.partition("/")[0]
    if place != _place() or not pid.isdigit() or not began:
        return False
    if int(pid) == os.getpid() and began == _began(os.getpid()):
        return name not in _in_use
    return _began(int(pid)) != began


@cache
def _place() -> str:
    """The host's name, for people, then what tells one space of process ids from all others: boot and namespace."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        space = f"{boot}-{Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:
        space = current_ids().token(12)  # nothing is known of others
    return f"{socket.gethostname().replace('/', '-')}@{space}"


def _began(pid: int) -> str:
    """When a process began, in the kernel's ticks; empty when it does not run, or on other systems than Linux."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    # proc(5): field 22 of the line; the name, which may hold blanks, and the pid before it are cut off. A
    # zombie (field 3) has ended and only waits to be collected.
    return "" if fields[0] == "Z" else fields[19]
