"""A Python on a host that does not let processes give up system calls."""

from __future__ import annotations

import sys
from pathlib import Path

_SCRIPT = """#!{python}
import ctypes, os, platform, struct, sys
libc = ctypes.CDLL(None)
prctl = {{"x86_64": 157, "aarch64": 167}}[platform.machine()]
# The call's number, then its first argument: PR_SET_SECCOMP is answered with EINVAL, all else is allowed.
steps = [(0x20, 0, 0, 0), (0x15, 0, 3, prctl), (0x20, 0, 0, 16), (0x15, 0, 1, 22)]
steps += [(6, 0, 0, 0x50016), (6, 0, 0, 0x7FFF0000)]
code = b"".join(struct.pack("=HBBI", *step) for step in steps)
class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]
libc.prctl(38, ctypes.c_ulong(1), 0, 0, 0)
assert libc.prctl(22, ctypes.c_ulong(2), ctypes.byref(Program(len(steps), code)), 0, 0) == 0
os.execv({python!r}, [{python!r}, *sys.argv[1:]])
"""


def unfenced_python(folder: Path) -> str:
    """The path of an executable that stands in for ``sys.executable``."""
    script = folder / "unfenced"
    script.write_text(_SCRIPT.format(python=sys.executable))
    script.chmod(0o755)
    return str(script)
