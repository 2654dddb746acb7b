"""How a run went, and the events that end it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from engine.events.jsonable import jsonable
from engine.events.speech import spoken
from engine.files.run_files import shown
from engine.running.outcome import Outcome

if TYPE_CHECKING:
    from engine.running.live import LiveRun

_GOOD = ("succeeded", "partial-succeeded")


def outcome(live: LiveRun, status: str, error: str | None, outputs: Mapping[str, Any] | None) -> Outcome:
    """Return how a run that ends now went; without ``outputs`` those are taken that its engine has so far."""
    steps, exceptions = 0, 0
    if live.progress is not None:
        steps, exceptions = live.progress.figures()
        outputs = live.progress.outputs() if outputs is None else outputs
    answer = live.answer
    found = jsonable(dict(outputs or {}))
    if live.context.is_chat and status not in _GOOD and answer:
        found = {"answer": answer, "files": []}
    elif live.said.replaced:
        found["answer"] = answer
    if live.made:
        found["files"] = live.made
    # What is stored is as clean as what was sent: an answer comes back as a later turn's history.
    found, error, answer, resources = live.clean([found, error, answer, live.citations.shown()])
    figures = (steps, exceptions, live.meter.total())
    return Outcome(status, found, error, live.elapsed, *figures, answer, resources)


def events(live: LiveRun, went: Outcome, *, speaks: bool, at: int) -> list[dict[str, Any]]:
    """Return the last events of a run, which ends at ``at`` (Unix seconds): those of the nodes that are still at work,
    its speech if it ``speaks``, and its own.
    """
    told: list[dict[str, Any]] = []
    if live.progress is not None:
        closing = "stopped" if went.status == "stopped" else "failed"
        told += live.progress.close_open(closing, went.error)
    if not live.context.is_flow and went.status == "failed":
        return [*told, live.payloads.error(live.cause.code, live.cause.status, went.error or "")]
    if speaks and went.status in _GOOD:
        told += live.payloads.speech(spoken(went.answer))
    if live.context.is_chat:
        told.append(live.payloads.message_end(went.usage, shown(went.outputs), went.resources))
    if not live.context.is_flow:
        return told
    finished = live.payloads.workflow_finished(
        status=went.status,
        outputs=went.outputs,
        error=went.error,
        elapsed=went.elapsed,
        tokens=went.tokens,
        steps=went.steps,
        exceptions=went.exceptions,
        finished_at=at,
    )
    return [*told, finished]
