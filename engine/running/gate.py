"""When an engine may stand still: only once nothing else of the run can go on.

The engine pauses at the first node that asks, and sets everything that is ready aside; branches beside the
form would wait for a person they have nothing to do with, and a second form would stay unknown until the
first is answered. So the request is held back here until no node works and none is ready.
"""

from __future__ import annotations

import time
from typing import Any

from graphon.engine.command.builtin.in_memory import InMemoryChannel
from graphon.engine.command.entities import Command
from graphon.engine.command.protocol import CommandChannel
from graphon.entities.pause_reason import SchedulingPause

_AFTER_ACTING = 1.0  # seconds between two checkpoints at least, for the sake of a loop that acts in each round


class Gate(CommandChannel):
    """The engine's command channel: it is asked on the engine's own thread at its begin, after each node and when idle.

    A checkpoint is due every ``checkpoint_seconds`` (0: never), and once a node has acted on the world: it is not to
    act again because the process was lost while a later node worked. It is never due before a node was done since the
    last one: however short the time, the run goes on.
    """

    def __init__(self, checkpoint_seconds: float = 0) -> None:
        self._commands = InMemoryChannel()
        self._held: list[Any] = []
        self._engine: Any = None
        self._every = checkpoint_seconds
        self._last = time.monotonic()
        self._checkpoint = self._done = self._acted = self._kept = False

    def attach(self, engine: Any) -> None:
        """Take over the engine's pause. Private members are used: the engine is pinned."""
        self._engine = engine
        execution = engine.runtime_state.graph_execution
        execution.pause = self._held.append

    def send_command(self, command: Command) -> None:
        """Pass on a command, such as an abort."""
        self._commands.send_command(command)

    def ask_checkpoint(self) -> None:
        """Have the engine stand still as soon as the nodes at work are done; the others wait."""
        self._checkpoint = True

    def note_done(self, *, acted: bool) -> None:
        """Take note that a node is done, and whether it may have acted on the world."""
        self._done = True
        self._acted = self._acted or acted

    def fetch_commands(self) -> list[Command]:
        """Return what was sent; pauses the engine first, if it is time."""
        execution = self._engine.runtime_state.graph_execution
        over = execution.aborted or execution.completed or execution.error is not None
        if not over and not execution.paused:
            asks = bool(self._held) and self._idle()
            # A pause for people keeps the run as well. A checkpoint instead would start the asking node again, and
            # by the time that it has asked the next checkpoint may be due.
            self._checkpoint = self._checkpoint or (not asks and self._due())
            if self._checkpoint or asks:
                self._pause(execution)
        return self._commands.fetch_commands()

    def resumed(self) -> None:
        """Forget the last pause, before the engine goes on."""
        self._held.clear()
        self._checkpoint = self._done = self._acted = False
        self._last = time.monotonic()

    def _pause(self, execution: Any) -> None:
        self._kept = True
        # A checkpoint is told apart by its own reason: beside forms that were asked, other nodes may be ready.
        checkpoint = [SchedulingPause(message="checkpoint")] if self._checkpoint else []
        for reason in [*self._held, *checkpoint]:
            type(execution).pause(execution, reason)

    def _due(self) -> bool:
        since = time.monotonic() - self._last
        acted = self._acted and (not self._kept or since >= _AFTER_ACTING)
        if not self._every or not self._done or (since < self._every and not acted):
            return False
        # To stand still, the engine waits for the nodes at work and starts no other: with several workers
        # one long node would hold up the branches beside it.
        workers = self._engine._worker_pool
        return bool(workers._worker_count == 1 or not workers.has_current_tasks())

    def _idle(self) -> bool:
        if self._engine._worker_pool.has_current_tasks():
            return False
        # Only now: a worker hands on what it made before it is free.
        waiting = self._engine.runtime_state.ready_queue.qsize()
        return bool(waiting == 0 and self._engine._dispatcher._dispatch_queue.empty())
