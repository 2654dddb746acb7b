"""The process that code is started from: run as a script, it forks one child for each piece of code.

It holds nothing of the server: its environment is empty, and it has no descriptor but the socket on its
standard input. Everything code may use is loaded here once, so a child starts in a millisecond. Each child
gets a socket of its own, closes the fence, runs one piece of code, answers, and ends: nothing that a piece
of code did to its process is left for the next. When the server ends, so does this process, and its children
with it.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

sys.path.insert(0, str(Path(__file__).parents[2]))  # isolated mode leaves the script's own place out

from engine.sandbox import fence, javascript_code, messages, python_code

_PROBE_CPU_SECONDS = 5


def main() -> None:
    """Answer each socket that the server sends with a handle of the child that serves it."""
    memory_bytes, cpu_seconds = int(sys.argv[1]), int(sys.argv[2])
    control = socket.socket(fileno=os.dup(0))
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    os.closerange(control.fileno() + 1, 256)
    os.environ.clear()
    python_code.prepare()
    gc.collect()
    gc.freeze()
    problem = _probe(memory_bytes)
    python_code.hide()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # children are not waited for
    messages.write(control.fileno(), messages.encode({"problem": problem}))
    nursery = os.getpid()
    while problem is None:
        _, descriptors, _, _ = socket.recv_fds(control, 1, 1)
        if not descriptors:
            return
        job = descriptors[0]
        child = os.fork()
        if child == 0:
            control.close()
            _serve(job, memory_bytes, cpu_seconds, nursery)
        with socket.socket(fileno=job) as line:
            try:
                handle = os.pidfd_open(child)
            except OSError:
                continue  # it is gone already: the server sees the end of the stream
            socket.send_fds(line, [b"."], [handle])
            os.close(handle)


def _serve(job: int, memory_bytes: int, cpu_seconds: int, nursery: int) -> NoReturn:
    """Run one piece of code behind the fence, and end."""
    try:
        fence.close(memory_bytes=memory_bytes, cpu_seconds=cpu_seconds, parent=nursery)
        messages.write(job, _answer(messages.read(job), memory_bytes))
    finally:
        os._exit(0)


def _answer(request: dict[str, Any], memory_bytes: int) -> bytes:
    try:
        if request["language"] == "python3":
            result = python_code.run(request["code"], request["inputs"])
        else:
            result = javascript_code.run(request["code"], request["inputs"], memory_bytes)
        if not isinstance(result, dict):
            kind = "a dict" if request["language"] == "python3" else "an object"
            raise python_code.CodeError(f"main must return {kind} with its outputs")
        return messages.encode({"outputs": result})
    except python_code.CodeError as error:
        return messages.encode({"error": str(error)})
    except MemoryError:
        return messages.encode({"error": "The code needed more memory than it may use"})
    except RecursionError:
        # How deep is too deep differs between versions of Python; what is said does not.
        return messages.encode({"error": messages.NOT_PLAIN})
    except (TypeError, ValueError) as error:
        return messages.encode({"error": f"The result is not plain data: {error}"})


def _probe(memory_bytes: int) -> str | None:
    """Close the fence in a child and try it from within. Returns None, or why code cannot run here.

    A host that lets one of these pass must not run code at all, whatever its kernel says it supports.
    """
    attempts: dict[str, Callable[[], object]] = {
        "open a file": lambda: os.open("/", os.O_RDONLY),
        "make a socket": socket.socket,
        "start a process": os.fork,
        "signal a process": lambda: os.kill(os.getpid(), 0),
    }
    source, sink = os.pipe()
    if os.fork() == 0:
        try:
            fence.close(memory_bytes=memory_bytes, cpu_seconds=_PROBE_CPU_SECONDS)
            passed = [name for name, attempt in attempts.items() if not _refused(attempt)]
            told = f"code could still {passed[0]}" if passed else ""
        except OSError as error:
            told = error.strerror or str(error)
        os.write(sink, b"." + told.encode())
        os._exit(0)
    os.close(sink)
    told = os.read(source, 1000).decode()
    os.close(source)
    os.wait()
    return None if told == "." else told[1:] or "a confined process does not start"


def _refused(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except PermissionError:
        return True
    return False


if __name__ == "__main__":
    main()
