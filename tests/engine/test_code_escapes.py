"""Code nodes: what a stranger's code cannot do. Each attempt ends as an error of its node, and the server lives."""

from __future__ import annotations

import os
import re
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.running.cancel import Cancelled, CancelToken
from engine.sandbox.pool import CodeRefused, SandboxPool
from tests.engine.graphs import chain_document, code
from tests.engine.tripped import TrippedAtWork
from tests.engine.unfenced import unfenced_python
from tests.waiting import HANG, until

MEMORY, ANSWER = 256 * 1024 * 1024, 1 << 20
# A piece of code that is to end by another limit has all the time that it may need on a busy machine.
SECONDS, PATIENT_SECONDS, DAYS = 0.5, 60, 1_000_000
CANARY = "canary-5f2e"
NO_ACCESS = "PermissionError: Code has no access to files, the network or other processes"
CRASHED = "The code ended without an answer: it crashed, ended its process, or needed more memory than it may use"
TOO_LONG = f"The code took longer than {SECONDS} seconds"
MEMORY_GONE = "The code needed more memory than it may use"
UNIVERSE = "[c for c in object.__subclasses__() if c.__name__ == '_wrap_close'][0].__init__.__globals__"


def opened(seconds: float) -> Iterator[SandboxPool]:
    made = SandboxPool(seconds=seconds, memory_bytes=MEMORY, answer_bytes=ANSWER)
    made.run("python3", "def main(): return {}", {}, CancelToken())
    yield made
    made.close()


@pytest.fixture(scope="module")
def pool() -> Iterator[SandboxPool]:
    """Where code that does not end has a minute."""
    yield from opened(PATIENT_SECONDS)


@pytest.fixture(scope="module")
def hasty() -> Iterator[SandboxPool]:
    """Where it has half a second."""
    yield from opened(SECONDS)


@pytest.fixture
def canary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file anyone may read, and a secret in the server's environment."""
    monkeypatch.setenv("SECRET_KEY", CANARY)
    for folder in (tmp_path, *tmp_path.parents):
        if os.access(folder, os.W_OK) and folder != Path("/") and folder.stat().st_uid == os.getuid():
            folder.chmod(folder.stat().st_mode | 0o005)
    file = tmp_path / "canary"
    file.write_text(CANARY)
    file.chmod(0o666)
    return file


def refused(pool: SandboxPool, text: str, language: str = "python3", **inputs: Any) -> str:
    with pytest.raises(CodeRefused) as caught:
        pool.run(language, text, inputs, CancelToken())
    # Where half a second is all there is, a busy machine may not even manage this in one.
    until(lambda: answer_or_error(pool, ALIVE[language], language) == "{'alive': 1}", "code that works")
    return str(caught.value)


ALIVE = {"python3": "def main(): return {'alive': 1}", "javascript": "function main() { return {alive: 1}; }"}

HOST = {
    "reading a file": "open(path).read()",
    "reading a file without open": "os.read(os.open(path, os.O_RDONLY), 99)",
    "reading a file through pathlib": "pathlib.Path(path).read_text()",
    "writing a file": "open(path, 'w').write('x')",
    "listing a folder": "os.listdir('/')",
    "making a link out": "os.symlink('/etc', '/tmp/out')",
    "removing a file": "os.unlink(path)",
    "changing the folder": "os.chdir('/')",
    "reading the server's environment": "open(f'/proc/{parent}/environ').read()",
    "reading its own environment": "open('/proc/self/environ').read()",
    "reading the server's memory": "open(f'/proc/{parent}/mem', 'rb').read(1)",
    "running a program": "os.execv('/bin/sh', ['sh', '-c', 'id'])",
    "starting a process": "os.fork()",
    "starting a process another way": "os.posix_spawn('/bin/sh', ['sh'], {})",
    "ending the server": "os.kill(parent, 9)",
    "ending every process": "os.kill(-1, 9)",
    "ending itself by signal": "signal.raise_signal(9)",
    "becoming root": "os.setuid(0)",
    "making a pipe": "os.pipe()",
    "borrowing memory from another process": "os.memfd_create('x')",
}


@pytest.mark.parametrize("attempt", HOST)
def test_the_host_is_out_of_reach(pool: SandboxPool, canary: Path, attempt: str) -> None:
    text = f"import os, pathlib, signal\ndef main(path, parent): return {{'got': {HOST[attempt]}}}"
    told = refused(pool, text, path=str(canary), parent=os.getpid())
    assert told == f"{NO_ACCESS} (line 2)"
    assert canary.read_text() == CANARY


ABSENT = ["subprocess", "socket", "ctypes", "multiprocessing", "resource", "select", "http.client", "urllib.request",
          "importlib.util", "engine", "engine.sandbox", "requests", "asyncio", "mmap", "fcntl", "pty"]  # fmt: skip


@pytest.mark.parametrize("module", ABSENT)
def test_a_module_that_serves_no_purpose_here_is_absent(pool: SandboxPool, module: str) -> None:
    told = refused(pool, f"import {module}\ndef main(): return {{}}")
    assert "is not available to code (line 1)" in told


WALKS = {
    "a shell by way of a forgotten class": f"{UNIVERSE}['system']('touch ' + path)",
    "popen by way of a forgotten class": f"{UNIVERSE}['popen']('cat ' + path).read()",
    "a socket by way of the caller's frame": "ours()['socket'].create_connection(('127.0.0.1', port), 1)",
    "a socket for a name": "ours()['socket'].getaddrinfo('localhost', port)",
    "another piece of code's line": "ours()['socket'].socketpair()",
    "the fence opened again": "ours()['fence'].close(memory_bytes=2**40, cpu_seconds=999)",
}
# The globals of the script that called the code: the way to the modules that are hidden from `import`.
OURS = (
    "def ours():\n"
    "    frame = sys._getframe()\n"
    "    while frame.f_back: frame = frame.f_back\n"
    "    return frame.f_globals\n"
)


@pytest.mark.parametrize("walk", WALKS)
def test_walking_python_s_own_objects_leads_nowhere(pool: SandboxPool, canary: Path, walk: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        text = f"import os, sys\n{OURS}def main(path, port): return {{'got': {WALKS[walk]}}}"
        told = answer_or_error(pool, text, path=str(canary) + "-made", port=server.getsockname()[1])
        assert CANARY not in told
        with pytest.raises(BlockingIOError):  # a connection would be there before the code had its answer
            server.accept()
    assert not canary.with_name("canary-made").exists()


def answer_or_error(pool: SandboxPool, text: str, language: str = "python3", **inputs: Any) -> str:
    try:
        return str(pool.run(language, text, inputs, CancelToken()))
    except CodeRefused as error:
        return str(error)


MACHINE = (
    "import sys\n"
    + OURS
    + """
def main(path):
    c = ours()['fence'].ctypes
    libc = c.CDLL(None, use_errno=True)
    tried = {}
    for name, arguments in {
        'open': (path, 0), 'socket': (2, 1, 0), 'fork': (), 'kill': (1, 0), 'getppid': (), 'ptrace': (0, 0, 0, 0),
        'unshare': (0x10000000,), 'mount': (0, 0, 0, 0, 0), 'shmget': (1, 4096, 0o1666), 'dup': (0,),
    }.items():
        arguments = [a.encode() if isinstance(a, str) else a for a in arguments]
        tried[name] = [getattr(libc, name)(*arguments), c.get_errno()]
    for number in (40, 59, 101, 257, 317, 319, 321, 322, 323, 425, 434, 435, 438):
        tried[str(number)] = [libc.syscall(number, 0, 0, 0, 0, 0), c.get_errno()]
    libc.mmap.restype = c.c_long
    tried['executable memory'] = [libc.mmap(0, 4096, 7, 0x22, -1, 0), c.get_errno()]
    return {'tried': tried}
"""
)


def test_the_kernel_refuses_even_what_machine_code_asks(pool: SandboxPool, canary: Path) -> None:
    """The attacker is given ctypes: what holds is the list of system calls, not what Python hides."""
    tried = pool.run("python3", MACHINE, {"path": str(canary)}, CancelToken())["tried"]
    assert len(tried) == 24
    assert {name: result for name, result in tried.items() if result != [-1, 1]} == {}


GREEDY = {
    "a loop without end": ("while True: pass", TOO_LONG),
    "a long sleep": ("time.sleep(60)", TOO_LONG),
    "a slow pattern": ("re.match('(a*)*b', 'a' * 60)", TOO_LONG),
    "a huge number": ("str(9 ** 9 ** 9)", TOO_LONG),
    "a signal handler that will not end": (
        "signal.signal(15, lambda *a: None)\n    while True: pass",
        TOO_LONG,
    ),
    "catching everything": (
        "while True:\n        try:\n            while True: pass\n        except BaseException: pass",
        TOO_LONG,
    ),
    "a huge string": ("return {'a': 'a' * 10 ** 9}", f"MemoryError: {MEMORY_GONE} (line 3)"),
    "a text that grows": ("a = b'x' * 10 ** 7\n    while True: a += a", f"MemoryError: {MEMORY_GONE} (line 4)"),
    "deep recursion": ("f = lambda: f()\n    f()", "RecursionError: maximum recursion depth exceeded (line 3)"),
    "a fork bomb": ("while True: os.fork()", f"{NO_ACCESS} (line 3)"),
    "many threads": (
        "while True: threading.Thread(target=time.sleep, args=(9,)).start()",
        "RuntimeError: can't start new thread (line 3)",
    ),
    "a huge answer": ("return {'a': 'a' * 2_000_000}", "The code returned more than 1048576 bytes"),
    "a deep answer": (
        "a = []\n    for _ in range(5000): a = [a]\n    return {'a': a}",
        "The code returned something that is not plain data, or is nested too deeply",
    ),
    "printing without end": ("while True: print('x' * 9999)", TOO_LONG),
    "leaving early": ("sys.exit(0)", "SystemExit: 0 (line 3)"),
    "leaving without a word": ("os._exit(0)", CRASHED),
}


@pytest.mark.parametrize("greed", GREEDY)
def test_a_greedy_piece_of_code_ends_within_its_limit(pool: SandboxPool, hasty: SandboxPool, greed: str) -> None:
    body, message = GREEDY[greed]
    text = f"import os, re, signal, sys, threading, time\ndef main():\n    {body}"
    assert refused(hasty if message == TOO_LONG else pool, text) == message


def test_recursion_beyond_the_stack_ends_that_process_alone(hasty: SandboxPool) -> None:
    assert refused(hasty, "import sys\ndef main():\n    sys.setrecursionlimit(10 ** 9)\n    f = lambda: f()\n    f()")


FORGED = {
    "a huge size": "b'\\x7f\\xff\\xff\\xff'",
    "no JSON": "b'\\x00\\x00\\x00\\x02{]'",
    "a deep text": "b'\\x00\\x00\\xff\\xff' + b'[' * 65535",
    "a number": "b'\\x00\\x00\\x00\\x0213'",
    "outputs of another kind": "b'\\x00\\x00\\x00\\x0d' + b'{\"outputs\":1}'",
    "half an answer": "b'\\x00\\x00\\x00\\x0d{'",
}


@pytest.mark.parametrize("forgery", FORGED)
def test_a_forged_answer_is_an_error_of_the_node(pool: SandboxPool, forgery: str) -> None:
    """Code can write to its own line; what comes over it is trusted as little as the code."""
    text = (
        "import os\ndef main():\n    for line in range(3, 20):\n        try:\n"
        f"            os.write(line, {FORGED[forgery]})\n        except OSError: pass\n    os._exit(0)"
    )
    assert refused(pool, text)


def test_the_environment_is_empty(pool: SandboxPool, canary: Path) -> None:
    text = "import os, sys\ndef main(): return {'got': [dict(os.environ), str(os.getenv('SECRET_KEY')), sys.argv]}"
    assert CANARY not in str(pool.run("python3", text, {}, CancelToken()))
    assert pool.run("python3", text, {}, CancelToken())["got"][0] == {}


# A quick machine fills the memory in that time.
TOO_LONG_OR_LARGE = f"{re.escape(TOO_LONG)}|The code threw null; this is also how it ends when it needs more memory .*"
TOO_DEEP = "RangeError: Maximum call stack size exceeded"
JAVASCRIPT = {
    "process": ("return {got: process.env}", "ReferenceError: process is not defined (line 2)"),
    "require": ("return {got: require('fs').readFileSync(path)}", "ReferenceError: require is not defined (line 2)"),
    "fetch": ("return {got: fetch('http://127.0.0.1')}", "ReferenceError: fetch is not defined (line 2)"),
    "os": ("return {got: os.getenv('SECRET_KEY')}", "ReferenceError: os is not defined (line 2)"),
    "std": ("return {got: std.open(path)}", "ReferenceError: std is not defined (line 2)"),
    "Deno": ("return {got: Deno.env}", "ReferenceError: Deno is not defined (line 2)"),
    "import": ("return import('std')", "ReferenceError: could not load module 'std'"),
    "constructor": (
        "return {got: [].constructor.constructor('return process')()}",
        "ReferenceError: process is not defined (line 3)",
    ),
    "a loop without end": ("while (true) {}", TOO_LONG),
    "promises without end": ("const f = () => Promise.resolve().then(f); return f()", TOO_LONG_OR_LARGE),
    "a slow pattern": ("return {a: /(a*)*b/.test('a'.repeat(60))}", TOO_LONG),
    "a huge buffer": ("return {a: new Uint8Array(2 ** 31)}", None),
    "a list that grows": ("const a = []; while (true) a.push(new Array(1e5).fill(a.length))", None),
    "deep recursion": ("const f = () => f(); f()", "RangeError: Maximum call stack size exceeded (line 2)"),
    "a huge answer": ("return {a: 'a'.repeat(2e6)}", "The code returned more than 1048576 bytes"),
    "a deep answer": ("let a = []; for (let i = 0; i < 1e5; i++) a = [a]; return {a}", TOO_DEEP),
    "a circle": ("const a = {}; a.a = a; return a", None),
    "a result that fails when read": ("return {get a() { throw new Error('trap'); }}", "Error: trap (line 2)"),
}  # fmt: skip


@pytest.mark.parametrize("attempt", JAVASCRIPT)
def test_javascript_reaches_nothing_and_ends_within_its_limit(
    pool: SandboxPool, hasty: SandboxPool, canary: Path, attempt: str
) -> None:
    body, message = JAVASCRIPT[attempt]
    place = hasty if message in (TOO_LONG, TOO_LONG_OR_LARGE, None) else pool
    told = refused(place, f"function main({{path}}) {{\n  {body}\n}}", "javascript", path=str(canary))
    assert message is None or re.fullmatch(message if message == TOO_LONG_OR_LARGE else re.escape(message), told)
    assert CANARY not in told


def test_the_end_of_its_run_ends_code_at_once() -> None:
    pool = SandboxPool(seconds=DAYS, memory_bytes=MEMORY, answer_bytes=ANSWER)
    with pytest.raises(Cancelled):
        pool.run("python3", "while True: pass", {}, TrippedAtWork())
    pool.close()


def children(pid: int) -> set[int]:
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            found.add(int(folder.name))
    return found


def cpu_seconds(pid: int) -> float:
    """How long a process has computed; nothing for one that is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return int(fields[11]) / os.sysconf("SC_CLK_TCK")


def test_no_process_is_left_behind(hasty: SandboxPool, soon: Callable[..., Any]) -> None:
    assert hasty._nursery is not None
    nursery = hasty._nursery.process.pid
    refused(hasty, "while True: pass")
    soon(lambda: not children(nursery))


def test_code_ends_with_its_nursery_and_the_next_piece_finds_a_new_one(
    soon: Callable[..., Any],
) -> None:
    pool = SandboxPool(seconds=PATIENT_SECONDS, memory_bytes=MEMORY, answer_bytes=ANSWER)
    pool.run("python3", "def main(): return {}", {}, CancelToken())
    assert pool._nursery is not None
    nursery = pool._nursery.process
    told: list[str] = []
    thread = threading.Thread(target=lambda: told.append(answer_or_error(pool, "while True: pass")))
    thread.start()
    try:
        # One that computes: it has its code, and the server its handle. The first piece's child may still be ending.
        child = soon(lambda: next((one for one in children(nursery.pid) if cpu_seconds(one) > 0.1), None))
        nursery.kill()
        thread.join(HANG)
        assert told == [CRASHED]
        soon(lambda: not Path(f"/proc/{child}").exists())
        assert pool.run("python3", ALIVE["python3"], {}, CancelToken()) == {"alive": 1}
    finally:
        pool.close()


def test_four_busy_pieces_of_code_keep_a_fifth_waiting_not_failing() -> None:
    pool = SandboxPool(seconds=PATIENT_SECONDS, memory_bytes=MEMORY, answer_bytes=ANSWER)
    found: list[str] = []
    text = "import time\ndef main(n):\n    time.sleep(0.3)\n    return {'n': n}"
    threads = [threading.Thread(target=lambda n=n: found.append(answer_or_error(pool, text, n=n))) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    pool.close()
    assert sorted(found) == [f"{{'n': {n}}}" for n in range(8)]


def test_a_host_that_cannot_close_the_fence_runs_no_code_and_says_what_it_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.executable", unfenced_python(tmp_path))
    pool = SandboxPool(seconds=1, memory_bytes=MEMORY, answer_bytes=ANSWER)
    for language, text in ALIVE.items():
        with pytest.raises(CodeRefused) as caught:
            pool.run(language, text, {}, CancelToken())
        assert str(caught.value) == (
            "Code cannot run on this host: it refuses to filter system calls (prctl 22: Invalid argument). It needs "
            "Linux on x86-64 or ARM64 that lets processes give up system calls (seccomp); all other nodes work without"
        )
    assert pool._nursery is not None
    assert pool._nursery.process.returncode is not None  # nothing of it is left
    pool.close()


def test_an_escape_ends_as_the_error_of_its_node_and_the_next_run_works(bench: Any, canary: Path) -> None:
    attack = code("code", f"def main(): return {{'result': open({str(canary)!r}).read()}}", result="string")
    events = bench.run(chain_document(attack, "result"))
    node_end = next(e["data"] for e in events if e["event"] == "node_finished" and e["data"]["node_id"] == "code")
    assert (node_end["status"], node_end["error"]) == ("failed", f"{NO_ACCESS} (line 1)")
    assert events[-1]["data"]["status"] == "failed"
    fine = code("code", "def main(): return {'result': 'fine'}", result="string")
    assert bench.run(chain_document(fine, "result"))[-1]["data"]["outputs"] == {"result": "fine"}
