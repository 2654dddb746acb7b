"""The server's side of the sandbox: starting code, waiting for its answer, ending what takes too long."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson

from engine.events.jsonable import jsonable
from engine.running.cancel import CancelToken
from engine.running.places import Places
from engine.running.weight import MOST_GIVEN, weight
from engine.sandbox.messages import HEAD, NOT_PLAIN

_NURSERY = Path(__file__).with_name("nursery.py")
_PLACES = 4
_START_SECONDS = 20.0
_PIECE = 1 << 16
_NEEDED = (
    "It needs Linux on x86-64 or ARM64 that lets processes give up system calls (seccomp); all other nodes work without"
)


class CodeRefused(ValueError):
    """The code could not be run, or what it returned cannot be used; the text says why."""


class _Nursery:
    """The process that forks a child for each piece of code, and the socket to it."""

    def __init__(self, memory_bytes: int, cpu_seconds: int) -> None:
        self._control, theirs = socket.socketpair()
        with theirs:
            # -I: neither the current folder nor PYTHON* variables decide what is imported; an empty
            # environment keeps the server's settings (keys, database URL) out of reach.
            self.process = subprocess.Popen(  # noqa: S603  (our own script, no shell)
                [sys.executable, "-I", "-X", "utf8", str(_NURSERY), str(memory_bytes), str(cpu_seconds)],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={},
            )
        self.problem = self._problem()
        if self.problem is not None:
            self.close()

    def _problem(self) -> str | None:
        try:
            answer = _read(self._control, time.monotonic() + _START_SECONDS, _PIECE)
        except (OSError, EOFError, CodeRefused):
            return "the process that runs code does not start"
        return answer["problem"] if isinstance(answer, dict) else "the process that runs code gave no answer"

    def start(self) -> _Child:
        """Start a child. Raises OSError or EOFError when the nursery is gone."""
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                socket.send_fds(self._control, [b"."], [theirs.fileno()])
            ours.settimeout(_START_SECONDS)
            _, handles, _, _ = socket.recv_fds(ours, 1, 1, socket.MSG_CMSG_CLOEXEC)
            if not handles:
                raise EOFError
        except BaseException:
            ours.close()
            raise
        return _Child(ours, handles[0])

    def close(self) -> None:
        """End the nursery; the kernel ends its children with it."""
        self._control.close()
        self.process.kill()
        self.process.wait()


class _Child:
    """One process that runs one piece of code. ``kill`` may come from any thread, at any time."""

    def __init__(self, line: socket.socket, handle: int) -> None:
        self._line, self._handle = line, handle
        self._lock = threading.Lock()

    def ask(self, request: bytes, seconds: float, limit: int) -> Any:
        """Send the code and wait for its answer.

        Raises TimeoutError, EOFError when the child ended without an answer, and CodeRefused.
        """
        deadline = time.monotonic() + seconds
        try:
            self._line.settimeout(seconds)
            self._line.sendall(HEAD.pack(len(request)) + request)
            return _read(self._line, deadline, limit)
        except TimeoutError:
            raise
        except OSError as error:
            raise EOFError from error

    def kill(self) -> None:
        """End the child at once, whatever it does. The handle names this process, never a later one."""
        with self._lock:
            if self._handle >= 0:
                with suppress(ProcessLookupError):
                    signal.pidfd_send_signal(self._handle, signal.SIGKILL)

    def close(self) -> None:
        """End the child and let go of it."""
        self.kill()
        with self._lock:
            os.close(self._handle)
            self._handle = -1
        self._line.close()


class SandboxPool:
    """Runs code, at most four pieces at once, each in a process of its own. Thread-safe.

    ``seconds`` is each piece's time, ``memory_bytes`` its address space, ``answer_bytes`` the size of what it
    returns. Nothing is started before the first piece of code.
    """

    def __init__(self, *, seconds: float, memory_bytes: int, answer_bytes: int) -> None:
        self._seconds, self._memory, self._limit = seconds, memory_bytes, answer_bytes
        self._nursery: _Nursery | None = None
        self._lock = threading.Lock()
        self._places = Places(_PLACES)
        self._closed = False

    def run(self, language: str, code: str, inputs: Mapping[str, Any], cancel: CancelToken) -> dict[str, Any]:
        """Return the outputs. Raises `CodeRefused`, and `Cancelled` when its run ends."""
        if weight(inputs, MOST_GIVEN) > MOST_GIVEN:
            raise CodeRefused(f"The code's variables hold more than {MOST_GIVEN} characters")
        request = orjson.dumps({"language": language, "code": code, "inputs": jsonable(inputs)})
        with self._places.place(cancel):
            answer = self._ask(request, cancel)
        outputs = answer.get("outputs") if isinstance(answer, dict) else None
        if not isinstance(outputs, dict):
            raise CodeRefused(str(answer.get("error") if isinstance(answer, dict) else answer)[:_PIECE])
        return outputs

    def close(self) -> None:
        """End every process of the sandbox."""
        with self._lock:
            self._closed = True
            if self._nursery is not None:
                self._nursery.close()
                self._nursery = None

    def _ask(self, request: bytes, cancel: CancelToken) -> Any:
        child = self._start()
        try:
            with cancel.hook(child.kill):
                return child.ask(request, self._seconds, self._limit)
        except TimeoutError:
            raise CodeRefused(f"The code took longer than {self._seconds:g} seconds") from None
        except EOFError:
            cancel.check()
            raise CodeRefused(
                "The code ended without an answer: it crashed, ended its process, or needed more memory than it may use"
            ) from None
        finally:
            child.close()

    def _start(self) -> _Child:
        with self._lock:
            for _ in range(2):
                if self._closed:
                    raise CodeRefused("The server is shutting down")
                if self._nursery is None:
                    self._nursery = _Nursery(self._memory, int(self._seconds) + 2)
                if self._nursery.problem is not None:
                    raise CodeRefused(f"Code cannot run on this host: {self._nursery.problem}. {_NEEDED}")
                try:
                    return self._nursery.start()
                except (OSError, EOFError):
                    self._nursery.close()
                    self._nursery = None
        raise CodeRefused("The process that runs code cannot be started")


def _read(line: socket.socket, deadline: float, limit: int) -> Any:
    """Read one message from what may be a stranger: its size, its depth and its text are not trusted."""
    size = HEAD.unpack(_exactly(line, HEAD.size, deadline))[0]
    if size > limit:
        raise CodeRefused(f"The code returned more than {limit} bytes")
    try:
        return orjson.loads(_exactly(line, size, deadline))
    except orjson.JSONDecodeError:
        raise CodeRefused(NOT_PLAIN) from None


def _exactly(line: socket.socket, size: int, deadline: float) -> bytes:
    data = bytearray()
    while len(data) < size:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        line.settimeout(left)
        piece = line.recv(min(size - len(data), _PIECE))
        if not piece:
            raise EOFError
        data += piece
    return bytes(data)
