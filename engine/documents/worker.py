"""The child process that reads one document: run as a script, it answers on its standard output and ends.

It takes the document from its standard input, loads what it needs for this kind of file, shuts itself off
from the host (`engine.sandbox.fence`), and only then begins to read.
"""

from __future__ import annotations

import codecs
import encodings
import importlib
import json
import pkgutil
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))  # isolated mode leaves the script's own place out

from engine.documents import office, texts
from engine.sandbox import fence

READERS: dict[str, Callable[[bytes], str]] = {
    **dict.fromkeys(("csv", "tsv"), texts.from_csv),
    **dict.fromkeys(("json",), texts.from_json),
    **dict.fromkeys(("html", "htm"), texts.from_html),
    **dict.fromkeys(("eml",), texts.from_mail),
    **dict.fromkeys(("pdf",), office.from_pdf),
    **dict.fromkeys(("docx",), office.from_docx),
    **dict.fromkeys(("xlsx", "xls", "xlsm", "ods"), office.from_sheets),
    **dict.fromkeys(("pptx",), office.from_slides),
    **dict.fromkeys(("odt",), office.from_odt),
    **dict.fromkeys(("epub",), office.from_epub),
}
LIBRARIES = {
    "pdf": ("pypdf",),
    "docx": ("docx",),
    "eml": ("email",),
    **dict.fromkeys(("xlsx", "xls", "xlsm", "ods"), ("python_calamine",)),
}


def main() -> None:
    """Arguments: the kind, the memory in bytes, the processor time in seconds, the most characters to tell."""
    kind = sys.argv[1]
    memory, seconds, limit = map(int, sys.argv[2:])
    content = sys.stdin.buffer.read()
    _load(kind, content)
    fence.close_or_limit(memory_bytes=memory, cpu_seconds=seconds)
    answer = _answer(kind, content, limit)
    sys.stdout.buffer.write(json.dumps(answer).encode())
    sys.stdout.buffer.flush()


def _load(kind: str, content: bytes) -> None:
    """Import all that this document may need: behind the fence nothing can be loaded any more."""
    for name in LIBRARIES.get(kind, ()):
        library = importlib.import_module(name)
        for module in pkgutil.walk_packages(getattr(library, "__path__", ()), f"{name}."):
            with suppress(ImportError):  # what is optional and not installed is not needed
                importlib.import_module(module.name)
    if kind not in LIBRARIES and _is_utf8(content):
        return
    import charset_normalizer  # noqa: F401

    # All of them: a file says itself how its texts are encoded, and a library may leave out what it cannot read.
    for encoding in pkgutil.iter_modules(encodings.__path__):
        with suppress(LookupError):  # those of other systems
            codecs.lookup(encoding.name)


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


def _answer(kind: str, content: bytes, limit: int) -> dict[str, str]:
    try:
        text = READERS.get(kind, texts.plain)(content)
    except texts.Unreadable as error:
        return {"error": str(error)}
    except MemoryError:
        return {"error": "The document needed more memory than it may use"}
    except Exception:
        return {"error": "The document cannot be read: it is damaged, or not what its name says"}
    if len(text) > limit:
        return {"error": f"The document's text is longer than {limit} characters"}
    return {"text": text.replace("\x00", "").encode("utf-8", "replace").decode()}


if __name__ == "__main__":
    main()
