"""Starting the processes that read documents, and ending those that take too long."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from engine.running.cancel import CancelToken
from engine.running.places import Places

WORKER = Path(__file__).with_name("worker.py")
KINDS = frozenset({
    # text as it stands
    "txt", "md", "markdown", "mdx", "xml", "yaml", "yml", "vtt", "srt", "properties", "ini", "cfg", "conf", "toml",
    "log", "env", "c", "h", "cpp", "hpp", "cc", "py", "js", "ts", "jsx", "tsx", "java", "php", "rb", "go", "rs",
    "swift", "kt", "scala", "sh", "bash", "bat", "ps1", "sql", "r", "pl", "lua", "css", "scss", "less", "svg", "rst",
    # read
    "csv", "tsv", "json", "html", "htm", "eml", "pdf", "docx", "xlsx", "xls", "xlsm", "ods", "pptx", "odt", "epub",
})  # fmt: skip
_TOLD = "txt, md, csv, json, html, pdf, docx, xlsx, xls, pptx, odt, epub, eml and other text"
_PLACES = 4


class DocumentRefused(ValueError):
    """The document's text cannot be had; the text says why."""


class DocumentReader:
    """Reads at most four documents at once. In: seconds, bytes of memory, and characters for each. Thread-safe."""

    def __init__(self, *, seconds: float, memory_bytes: int, limit: int) -> None:
        self._seconds, self._memory, self._limit = seconds, memory_bytes, limit
        self._places = Places(_PLACES)

    def text(self, pieces: Iterable[bytes], extension: str, cancel: CancelToken) -> str:
        """The text of a document. Raises `DocumentRefused`, and `Cancelled` when its run ends."""
        if extension not in KINDS:
            named = f"'.{extension}' files" if extension else "Files without an extension"
            raise DocumentRefused(f"{named} cannot be read as a document; these can: {_TOLD}")
        with self._places.place(cancel), tempfile.TemporaryFile() as source:
            for piece in pieces:
                source.write(piece)
            source.seek(0)
            answer = self._ask(source.fileno(), extension, cancel)
        if "error" in answer:
            raise DocumentRefused(answer["error"])
        return answer["text"]

    def _ask(self, source: int, extension: str, cancel: CancelToken) -> dict[str, str]:
        # An empty environment and isolated mode: nothing of the server's settings is within its reach.
        arguments = (extension, str(self._memory), str(int(self._seconds) + 1), str(self._limit))
        process = subprocess.Popen(  # noqa: S603  (our own script, no shell)
            [sys.executable, "-I", str(WORKER), *arguments],
            stdin=source,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={},
        )
        try:
            with cancel.hook(process.kill):
                told, _ = process.communicate(timeout=self._seconds)
            answer: dict[str, str] = json.loads(told)
            return answer
        except subprocess.TimeoutExpired:
            raise DocumentRefused(f"Reading the document took longer than {self._seconds:g} seconds") from None
        except ValueError:
            cancel.check()
            raise DocumentRefused("The document needed more time or memory than it may use") from None
        finally:
            process.kill()
            with suppress(OSError, ValueError):
                process.communicate()
