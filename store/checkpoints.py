"""Where a run can go on from: its sealed state, written together with the events and forms that belong to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from store import db, events, forms, sql
from store.clock import now_micros
from store.forms import Draft
from store.run_row import MOVES, Run
from store.runs import one


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """``seq`` is the number of the run's last event at that moment; ``sealed`` is encrypted by the engine."""

    run_id: str
    seq: int
    sealed: str


@dataclass(frozen=True, slots=True)
class Halt:
    """A run that stands still for a moment, as it is to be stored.

    ``payloads`` are its next events, numbered from ``first_seq``; ``waiting`` names the executions that wait
    for an answer, ``drafts`` those of their forms that are new; ``metadata`` is what its message's would be if it
    ended now.
    """

    run_id: str
    worker: str
    sealed: str
    first_seq: int
    payloads: list[str]
    waiting: list[str]
    drafts: list[Draft]
    metadata: dict[str, Any]

    @property
    def seq(self) -> int:
        """The number of the last event of this moment."""
        return self.first_seq + len(self.payloads) - 1


@db.reads
def get(run_id: str) -> Checkpoint | None:
    """The run's last checkpoint."""
    found = sql.row("SELECT run_id, seq, sealed FROM checkpoints WHERE run_id = ?", run_id)
    return Checkpoint(*found) if found else None


@db.writes
def pause(halt: Halt) -> str:
    """running → paused, with the events, forms and state that belong to it, all or nothing.

    Out: ``paused``; or, with nothing stored, ``lost`` when the run is not this worker's any more,
    ``stopping`` when somebody asked it to stop, ``answered`` when a form it would wait for was decided
    meanwhile.
    """
    run = _mine(halt)
    if run is None:
        return "lost"
    if run.stop_requested:
        return "stopping"
    decided = {form.execution_id for form in forms.of_run(run.id) if not form.is_waiting}
    if decided & set(halt.waiting):
        return "answered"
    if not MOVES.move(run.id, "paused", worker="", lease_until=0):
        return "lost"
    forms.insert(run, halt.drafts)
    events.append(run.id, halt.first_seq, halt.payloads)
    _keep(halt)
    if run.message_id is not None:
        sql.change(
            "UPDATE messages SET status = 'paused', metadata = ? WHERE id = ? AND status = 'running'",
            sql.to_json(halt.metadata),
            run.message_id,
        )
    return "paused"


@db.writes
def save(halt: Halt, *, release: bool = False) -> bool:
    """Keep where a running run can go on from; with ``release`` also give it up for another worker."""
    run = _mine(halt)
    if run is None:
        return False
    forms.insert(run, halt.drafts)
    _keep(halt)
    if release:
        sql.change("UPDATE runs SET worker = '', lease_until = 0, attempts = 0 WHERE id = ?", run.id)
    else:
        sql.change("UPDATE runs SET attempts = 0 WHERE id = ?", run.id)
    return True


def _mine(halt: Halt) -> Run | None:
    sql.locked("SELECT id FROM runs WHERE id = ?", halt.run_id)
    run = one(halt.run_id)
    return run if run and run.status == "running" and run.worker == halt.worker else None


def _keep(halt: Halt) -> None:
    sql.change(
        "INSERT INTO checkpoints (run_id, seq, sealed, created_at) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (run_id) DO UPDATE SET seq = excluded.seq, sealed = excluded.sealed,"
        " created_at = excluded.created_at",
        halt.run_id,
        halt.seq,
        halt.sealed,
        now_micros(),
    )
