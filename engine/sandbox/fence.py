"""Shutting the calling process off from its host: what it may use, and which system calls it keeps.

The list below is short on purpose. A process behind it computes, reads and writes descriptors it already
has, and ends; it cannot open a file, make a socket, start or signal a process, or learn the environment.
This holds for whatever runs in the process, machine code included: the kernel checks each call (seccomp(2),
prctl(2) PR_SET_NO_NEW_PRIVS), it cannot be undone, and it needs no privilege.

Only the standard library is imported: the children that close the fence behind them load nothing else.
"""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import signal
import struct
import sys
from contextlib import suppress

NOBODY = 65534
_NICENESS = 5  # busy strangers leave the processor to the server

# Architecture's number in <linux/audit.h>, then the allowed calls' numbers in its <asm/unistd.h>.
_CALLS = {
    "x86_64": (
        0xC000003E,
        {
            "read": 0, "write": 1, "close": 3, "fstat": 5, "lseek": 8, "mmap": 9, "mprotect": 10, "munmap": 11,
            "brk": 12, "rt_sigaction": 13, "rt_sigprocmask": 14, "rt_sigreturn": 15, "sched_yield": 24,
            "mremap": 25, "madvise": 28, "nanosleep": 35, "getpid": 39, "exit": 60, "gettimeofday": 96,
            "sigaltstack": 131, "gettid": 186, "futex": 202, "restart_syscall": 219, "clock_gettime": 228,
            "clock_getres": 229, "clock_nanosleep": 230, "exit_group": 231, "getrandom": 318,
        },
    ),
    "aarch64": (
        0xC00000B7,
        {
            "close": 57, "lseek": 62, "read": 63, "write": 64, "fstat": 80, "exit": 93, "exit_group": 94,
            "futex": 98, "nanosleep": 101, "clock_gettime": 113, "clock_getres": 114, "clock_nanosleep": 115,
            "sched_yield": 124, "restart_syscall": 128, "sigaltstack": 132, "rt_sigaction": 134,
            "rt_sigprocmask": 135, "rt_sigreturn": 139, "gettimeofday": 169, "getpid": 172, "gettid": 178,
            "brk": 214, "munmap": 215, "mremap": 216, "mmap": 222, "mprotect": 226, "madvise": 233,
            "getrandom": 278,
        },
    ),
}  # fmt: skip

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 1, 4, 22, 38
_SECCOMP_MODE_FILTER = 2
_ALLOW, _KILL, _REFUSE = 0x7FFF0000, 0x80000000, 0x00050000 | errno.EPERM
# Classic BPF: load a word of the call's description, jump, return.
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _THIRD_ARGUMENT = 0, 4, 32
_X32_CALLS, _PROT_EXEC = 0x40000000, 4


class FenceError(OSError):
    """The host does not let a process shut itself off; the text says what is missing."""


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]


def close(*, memory_bytes: int, cpu_seconds: int | None = None, parent: int | None = None) -> None:
    """Shut this process off from the host, for good. It must have one thread. Raises `FenceError`.

    Memory beyond ``memory_bytes`` of address space is refused; the kernel ends a process that has computed
    for longer than ``cpu_seconds``, and one whose ``parent`` (an id: the process that forked it, and of that the very
    thread) ends.
    """
    os.nice(_NICENESS)
    code = _filter()
    program = _Program(len(code) // 8, code)
    if os.getuid() == 0:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    if parent is not None:
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # here, because a change of user would undo it
        if os.getppid() != parent:
            os._exit(0)  # it ended before the kernel was asked to tell
    _prctl(_PR_SET_DUMPABLE, 0)
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    for kind, value in _limits(memory_bytes, cpu_seconds):
        resource.setrlimit(kind, (value, value))
    _prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(program))


def close_or_limit(*, memory_bytes: int, cpu_seconds: int | None = None) -> None:
    """Shut this process off, or at least limit its memory and time where the host knows no fence.

    For work that has another wall before it: a library that reads documents, the template engine's own sandbox.
    """
    try:
        close(memory_bytes=memory_bytes, cpu_seconds=cpu_seconds)
    except OSError:
        for kind, value in _limits(memory_bytes, cpu_seconds):
            with suppress(ValueError, OSError):  # not every system has each of them
                resource.setrlimit(kind, (value, value))


def _limits(memory_bytes: int, cpu_seconds: int | None) -> tuple[tuple[int, int], ...]:
    return (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_CPU, resource.RLIM_INFINITY if cpu_seconds is None else cpu_seconds),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    )


def _prctl(option: int, value: int, extra: object = 0) -> None:
    if sys.platform != "linux":
        raise FenceError(errno.ENOSYS, "it does not run Linux")
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, ctypes.c_ulong(value), extra, 0, 0) != 0:
        number = ctypes.get_errno()
        raise FenceError(number, f"it refuses to filter system calls (prctl {option}: {os.strerror(number)})")


def _filter() -> bytes:
    machine = os.uname().machine
    if machine not in _CALLS:
        raise FenceError(errno.ENOSYS, f"its processor is of the kind {machine}")
    architecture, calls = _CALLS[machine]
    steps = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, architecture),  # calls of another architecture have other numbers
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
        (_AT_LEAST, 0, 1, _X32_CALLS),
        (_RETURN, 0, 0, _REFUSE),
    ]
    for name in ("mmap", "mprotect"):  # memory, but none that can be executed
        steps += [
            (_EQUAL, 0, 4, calls[name]),
            (_LOAD, 0, 0, _THIRD_ARGUMENT),
            (_ANY_BIT, 0, 1, _PROT_EXEC),
            (_RETURN, 0, 0, _REFUSE),
            (_RETURN, 0, 0, _ALLOW),
        ]
    for number in (number for name, number in calls.items() if name not in ("mmap", "mprotect")):
        steps += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ALLOW)]
    steps.append((_RETURN, 0, 0, _REFUSE))
    return b"".join(struct.pack("=HBBI", *step) for step in steps)
