"""Tag ``runs``: run an app, watch it, watch it again, stop it."""

from __future__ import annotations

from typing import Any

from connexion import request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

import store.access
import store.apps
import store.events
import store.runs
from engine import runs, stream
from engine.inputs.variables import MODES
from store.caller import Caller
from store.refusal import Refusal
from store.runs import Run


def run_app(user: Caller, app_id: str, body: dict[str, Any], idempotency_key: str | None = None) -> Response:
    """Operation ``runApp``: everything that can be refused is refused before the stream begins."""
    app = store.apps.visible(user, app_id)
    run = runs.start(app, store.apps.version(app_id, None), user, body, idempotency_key)
    return stream.response(run, access=store.access.of(user, run.app_id))


async def stream_task_events(
    user: Caller,
    app_id: str,
    task_id: str,
    include_state_snapshot: bool = False,
    continue_on_pause: bool = False,
    last_event_id: str | None = None,
) -> Response:
    """Operation ``streamTaskEvents``: by run id or task id; only the caller's own runs are found."""
    run = await run_in_threadpool(_own_run, user, app_id, task_id)
    runs.refuse_when_closing()
    after = _cursor(request.headers.get("last-event-id") or last_event_id)
    if after:
        last = await run_in_threadpool(store.events.last_seq, run.id)
        if after > last:
            raise _no_event()  # waiting for it would pass over those that come before it
        if after == last and run.is_over:
            return Response(status_code=204)  # WHATWG HTML §9.2: do not connect again
    return stream.response(
        run,
        access=store.access.of(user, run.app_id),
        after=after,
        snapshot=include_state_snapshot,
        through_pauses=continue_on_pause,
    )


def _own_run(user: Caller, app_id: str, task_id: str) -> Run:
    app = store.apps.visible(user, app_id)
    if app.mode not in MODES:
        raise Refusal("run_not_streamable", "mode_not_supported_for_event_reconnect")
    run = store.runs.visible(user, app_id, task_id)
    if run is None:
        raise Refusal("not_found", "Workflow run not found.")
    return run


def _cursor(text: str | None) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise _no_event()
    return int(text)


def _no_event() -> Refusal:
    return Refusal(
        "invalid_param",
        "Last-Event-ID must be an id of this run's events.",
        details=[{"type": "int_parsing", "loc": ["header", "Last-Event-ID"], "msg": "not an event id"}],
    )


def stop_task(user: Caller, app_id: str, task_id: str) -> dict[str, Any]:
    """Operation ``stopTask``: always ``success``; a run that is not the caller's is left alone."""
    store.apps.visible(user, app_id)
    run = store.runs.visible(user, app_id, task_id)
    if run is not None:
        runs.stop(run)
    return {"result": "success"}
