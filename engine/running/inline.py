"""Letting an engine work on the thread that runs it, for graphs of which one node works at a time.

The engine hands every event of a node from a worker's thread to a dispatcher's, and from there to the reader's.
With one worker nothing is gained by that: a run costs two more threads, and each event several changes between
them. Here the worker's results go straight to the dispatcher's code.
"""

from __future__ import annotations

import logging
import queue
from typing import Any

from graphon.engine import Engine
from graphon.engine.worker import DispatchTask, NodeEventTask, Worker
from graphon.runtime.execution import ROOT_FRAME_ID

logger = logging.getLogger(__name__)


def work_inline(engine: Engine) -> None:
    """Have ``engine.run()`` do all its work on its caller's thread. Private members are used: the engine is pinned."""
    _Inline(engine)


def tell_layers_only(engine: Engine) -> None:
    """Have the engine hand its events to its layers and not also to the reader of ``engine.run()``, who then gets
    the first and the last ones only.
    """
    stream: Any = engine._event_stream
    stream.collect = stream.notify_layers


class _PlainWorker(Worker):
    """Tells the layers when a node starts, and nothing else: ours hear of no more (a test says so), and a context for
    each of them around each node takes as long as a small node.
    """

    def _run_node_events(self, *, invocation_id: str | None, node: Any, node_events: Any) -> bool:
        if invocation_id is None:
            self._invoke_node_run_start_hooks(node)
        _, suspended = self._consume_node_events(invocation_id=invocation_id, node=node, node_events=node_events)
        return suspended


class _Inline:
    """Stands between the engine's dispatcher and its only worker, whose thread is never started."""

    def __init__(self, engine: Any) -> None:
        self._pool, self._dispatcher = engine._worker_pool, engine._dispatcher
        self._ready = engine.runtime_state.ready_queue
        self._execution = engine.runtime_state.graph_execution
        self._broken: Exception | None = None
        self._worker = self._engage()
        self._dispatcher.start = self._start
        self._dispatcher._dispatch_next_event = self._next
        # At a pause it would wait a tenth of a second for workers, of which none is at work.
        self._dispatcher._process_tasks_until_workers_idle = self._dispatcher._process_pending_tasks
        self._pool.start = self._employ

    def put(self, task: DispatchTask) -> None:
        """Act on what the worker tells, at once; the worker takes this object for its queue."""
        if self._broken is not None:
            return
        try:
            event = self._dispatcher._dispatch_task(task)
            self._dispatcher._process_commands(event)
        except Exception as error:
            # No fault of the node that works: it would be told as the node's failure.
            self._broken = error

    def _engage(self) -> Any:
        pool = self._pool
        return _PlainWorker(
            ready_queue=pool._ready_queue,
            dispatch_queue=self,
            frame_registry=pool._frame_registry,
            layers=pool._layers,
            task_acquisition_lock=pool._task_acquisition_lock,
            task_acquisition_enabled=pool._task_acquisition_enabled,
            file_runtime=pool._file_runtime,
        )

    def _employ(self) -> None:
        # The pool lets its workers go at the end of each run; it asks this one whether it is at work.
        self._pool._workers[:] = [self._worker]

    def _start(self) -> None:
        self._dispatcher._stop_event.clear()
        with self._execution.track_execution():
            self._dispatcher._dispatch_until_complete()

    def _next(self) -> None:
        try:
            task = self._ready.get(timeout=0)
        except queue.Empty:
            # Nothing works and nothing is ready: it is time for a pause that was asked for, or never will be.
            self._dispatcher._process_commands()
            if not self._execution.paused and not self._execution.aborted:
                raise RuntimeError("The workflow cannot go on: no node is ready.") from None
            return
        self._carry_out(task)
        if self._broken is not None:
            raise self._broken
        self._dispatcher._process_commands()

    def _carry_out(self, task: Any) -> None:
        worker = self._worker
        worker._has_current_task.set()
        try:
            worker._execute_task(task)
        except Exception as error:
            if worker._current_node is None:
                raise
            logger.exception("Node %s broke", worker._current_node.id)
            failure = worker._build_fallback_failure_event(
                worker._current_node, error, started_at=worker._current_node_started_at
            )
            self.put(NodeEventTask(frame_id=worker._current_frame_id, event=failure))
        finally:
            self._ready.task_done()
            worker._current_node = worker._current_node_started_at = None
            worker._current_frame_id = ROOT_FRAME_ID
            worker._has_current_task.clear()
