"""Rendering Jinja templates in child processes with limits on time, memory and output."""

from __future__ import annotations

import json
import os
import select
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from engine.events.jsonable import jsonable
from engine.running.cancel import CancelToken
from engine.running.places import Places
from engine.running.weight import MOST_GIVEN, weight

_WORKER = Path(__file__).with_name("template_worker.py")
_WORKERS = 4
_IDLE_WORKERS = 2
_START_SECONDS = 15.0


class TemplateRefused(ValueError):
    """The template could not be rendered; the text says why."""


class _NotStarted(EOFError):
    """The child does not come so far as to take a request."""


class _Worker:
    """One child process; not shared between threads."""

    def __init__(self, memory_bytes: int) -> None:
        # -I: neither the current folder nor PYTHON* variables decide what the child imports; an empty
        # environment keeps the server's settings (keys, database URL) out of its reach.
        self.process = subprocess.Popen(  # noqa: S603  (our own script, no shell)
            [sys.executable, "-I", str(_WORKER), str(memory_bytes)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={},
        )
        self._ready = False

    def ask(self, request: bytes, seconds: float) -> dict[str, Any]:
        """Send a request and wait for its answer. Raises TimeoutError, or EOFError when the child is gone."""
        assert self.process.stdin is not None
        if not self._ready:
            # Importing the template library is not the template's time.
            try:
                self._answer(time.monotonic() + _START_SECONDS)
            except (EOFError, TimeoutError):
                raise _NotStarted from None
            self._ready = True
        try:
            self.process.stdin.write(struct.pack(">I", len(request)) + request)
            self.process.stdin.flush()
        except OSError as error:
            raise EOFError from error
        return self._answer(time.monotonic() + seconds)

    def _answer(self, deadline: float) -> dict[str, Any]:
        size = struct.unpack(">I", self._read(4, deadline))[0]
        answer: dict[str, Any] = json.loads(self._read(size, deadline))
        return answer

    def _read(self, size: int, deadline: float) -> bytes:
        assert self.process.stdout is not None
        descriptor, data = self.process.stdout.fileno(), b""
        ready = select.poll()  # `select` itself takes no descriptor above 1023, and a server has many connections
        ready.register(descriptor, select.POLLIN)
        while len(data) < size:
            if not ready.poll(max(0.0, deadline - time.monotonic()) * 1000):
                raise TimeoutError
            piece = os.read(descriptor, size - len(data))
            if not piece:
                raise EOFError
            data += piece
        return data

    def kill(self) -> None:
        """End the child at once, whatever it does."""
        self.process.kill()

    def close(self) -> None:
        """End the child and collect what the operating system keeps of it."""
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                with suppress(OSError):
                    stream.close()


class TemplatePool:
    """At most four children at work; two of them are kept for the next template."""

    def __init__(self, *, seconds: float, memory_bytes: int, limit: int) -> None:
        self._seconds, self._memory, self._limit = seconds, memory_bytes, limit
        self._idle: list[_Worker] = []
        self._lock = threading.Lock()
        self._places = Places(_WORKERS)
        self._closed = False

    def render(self, template: str, variables: Mapping[str, Any], cancel: CancelToken) -> str:
        """Return the template's text. Raises `TemplateRefused`, and `Cancelled` when its run ends."""
        if weight(variables, MOST_GIVEN) > MOST_GIVEN:
            raise TemplateRefused(f"The template's variables hold more than {MOST_GIVEN} characters")
        request = json.dumps({"template": template, "variables": jsonable(variables), "limit": self._limit}).encode()
        with self._places.place(cancel):
            answer = self._ask(request, cancel)
        if "error" in answer:
            raise TemplateRefused(str(answer["error"]))
        return str(answer["text"])

    def _ask(self, request: bytes, cancel: CancelToken) -> dict[str, Any]:
        worker, healthy = self._take(), False
        try:
            with cancel.hook(worker.kill):
                answer = worker.ask(request, self._seconds)
            healthy = "spent" not in answer
            return answer
        except TimeoutError:
            raise TemplateRefused(f"The template took longer than {self._seconds:g} seconds") from None
        except EOFError as error:
            cancel.check()
            if isinstance(error, _NotStarted):
                raise TemplateRefused("The process that renders templates does not start on this host") from None
            raise TemplateRefused("The template needed more memory than it may use") from None
        finally:
            self._give_back(worker, healthy)

    def close(self) -> None:
        """End the children that wait; those at work end when their template does."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for worker in idle:
            worker.close()

    def _take(self) -> _Worker:
        with self._lock:
            while self._idle:
                worker = self._idle.pop()
                if worker.process.poll() is None:
                    return worker
                worker.close()
        return _Worker(self._memory)

    def _give_back(self, worker: _Worker, healthy: bool) -> None:
        with self._lock:
            if healthy and not self._closed and len(self._idle) < _IDLE_WORKERS:
                self._idle.append(worker)
                return
        worker.close()
