"""Running a piece of Python: its function ``main`` is called with the inputs by name."""

from __future__ import annotations

import importlib
import sys
import time
import types
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

_FILE = "<code>"
_TEXT = 2000

# What code may import. Behind the fence nothing can be loaded any more, so all of it is loaded before.
MODULES = (
    "abc", "array", "ast", "base64", "binascii", "bisect", "calendar", "cmath", "codecs", "collections",
    "collections.abc", "colorsys", "contextlib", "copy", "csv", "dataclasses", "datetime", "decimal", "difflib",
    "email.utils", "enum", "errno", "fnmatch", "fractions", "functools", "gc", "graphlib", "gzip", "hashlib",
    "heapq", "hmac", "html", "html.entities", "html.parser", "inspect", "io", "ipaddress", "itertools", "json",
    "keyword", "locale", "logging", "math", "numbers", "operator", "os", "os.path", "pathlib", "pprint", "queue",
    "random", "re", "reprlib", "secrets", "shlex", "signal", "statistics", "string", "struct", "sys", "textwrap",
    "threading", "time", "timeit", "traceback", "types", "typing", "unicodedata", "urllib", "urllib.parse",
    "uuid", "warnings", "weakref", "xml", "xml.etree", "xml.etree.ElementTree", "zlib", "zoneinfo",
)  # fmt: skip
_LOADED_LATER = (
    "_strptime",
    "importlib.resources",
    "xml.parsers.expat",
    "linecache",
    "tokenize",
    "encodings.idna",
    "encodings.punycode",
)
_ENCODINGS = (
    "ascii", "latin-1", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252", "iso8859-15", "gbk",
    "gb18030", "gb2312", "big5", "shift_jis", "euc_jp", "euc_kr", "koi8-r", "cp1251", "unicode_escape",
    "raw_unicode_escape", "hex", "base64", "rot13", "quopri", "zlib",
)  # fmt: skip


_kept: list[object] = []  # time zones are only found again while somebody holds them

_HIDDEN = ("ctypes", "_ctypes", "socket", "_socket", "select", "selectors", "resource", "_quickjs")


class CodeError(Exception):
    """The code failed, or returned what cannot be used; the text is for its author."""


def prepare() -> None:
    """Load everything that code may import or that those modules load when they are first used."""
    for name in (*MODULES, *_LOADED_LATER):
        importlib.import_module(name)
    import codecs
    import hashlib
    import zoneinfo

    time.localtime()  # reads the host's time zone
    for name in _ENCODINGS:
        codecs.lookup(name)
    for name in hashlib.algorithms_guaranteed:
        hashlib.new(name)
    for name in _zones(zoneinfo.TZPATH):
        with suppress(zoneinfo.ZoneInfoNotFoundError):
            _kept.append(zoneinfo.ZoneInfo(name))


def _zones(folders: tuple[str, ...]) -> list[str]:
    """The names of the time zones in use today, from the host's own table."""
    for folder in folders:
        with suppress(OSError):
            rows = Path(folder, "zone.tab").read_text(encoding="utf-8").splitlines()
            return ["UTC", "GMT", *(row.split("\t")[2] for row in rows if row and row[0] != "#")]
    return ["UTC"]


def hide() -> None:
    """Make what is not meant for code look absent, with a clear message; the fence is what keeps code in."""
    for name in list(sys.modules):
        if name in _HIDDEN or name.split(".")[0] == "engine":
            del sys.modules[name]
    sys.meta_path[:] = [_Absent()]
    sys.path.clear()


class _Absent:
    """Finds no module: code may import what is loaded."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> NoReturn:
        raise ModuleNotFoundError(f"The module '{name}' is not available to code", name=name)


def run(code: str, inputs: dict[str, Any]) -> Any:
    """Return what ``main`` returns. Raises `CodeError`."""
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    try:
        exec(compile(code, _FILE, "exec"), module.__dict__)  # noqa: S102  (this is what the process is for)
        main = module.__dict__.get("main")
        if not callable(main):
            raise CodeError("The code must define a function named main")
        return main(**inputs)
    except CodeError:
        raise
    except BaseException as error:  # SystemExit and KeyboardInterrupt are the code's own doing, too
        raise CodeError(_text(error)) from None


def _text(error: BaseException) -> str:
    line = error.lineno if isinstance(error, SyntaxError) else None
    step = error.__traceback__
    while step is not None:
        if step.tb_frame.f_code.co_filename == _FILE:
            line = step.tb_lineno
        step = step.tb_next
    message = str(error.msg if isinstance(error, SyntaxError) else error)[:_TEXT]
    where = f" (line {line})" if line else ""
    if isinstance(error, PermissionError):
        message = "Code has no access to files, the network or other processes"
    if isinstance(error, MemoryError):
        message = "The code needed more memory than it may use"
    return f"{type(error).__name__}: {message}{where}" if message else f"{type(error).__name__}{where}"
