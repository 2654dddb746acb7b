"""My apps, and a page to try each: its inputs as a form, its runs, its graph.

The pages are drawn here; a run itself goes from the page's script straight to the contract's operations
(``runApp``, ``streamTaskEvents``, ``stopTask``), so that no stream holds a thread of the pages.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flask import Blueprint, g, render_template, request, url_for
from flask.typing import ResponseReturnValue

import store.apps
import store.cookies
import store.run_lists
import store.runs
import store.workspaces
from engine.inputs.parameters import parameters
from engine.inputs.variables import MODES
from store.apps import App
from store.refusal import Refusal
from store.runs import Run
from web import guard
from web.app_fields import attachments, fields, takes_query
from web.graph_picture import picture

blueprint = Blueprint("apps", __name__, url_prefix="/apps")

APPS_AT_ONCE, RUNS_AT_ONCE, LAST_PAGE = 24, 10, 1_000_000
FILTERS, FILTER_MAX = ("name", "mode", "tag"), 200
STATIC = Path(__file__).parent / "static"
SCRIPTS = sorted(str(file.relative_to(STATIC)) for file in STATIC.rglob("*.js"))


@blueprint.get("")
@guard.login_required
def listing() -> ResponseReturnValue:
    """My apps of one workspace, newest first; ``?workspace=&name=&mode=&tag=&page=``."""
    mine = [one for one in store.workspaces.of(guard.me().id) if one.status == "normal"]
    asked = request.args.get("workspace") or store.workspaces.default_of(mine)
    wanted: dict[str, Any] = {key: request.args.get(key, "")[:FILTER_MAX] for key in FILTERS}
    number = _page()
    rows: list[App] = []
    total = 0
    if asked is not None:
        caller = store.cookies.caller(guard.me())
        rows, total = store.apps.page(caller, asked, page=number, limit=APPS_AT_ONCE, **wanted)
    return render_template(
        "apps.html",
        rows=rows,
        total=total,
        page=number,
        pages=-(-total // APPS_AT_ONCE),
        workspaces=mine,
        workspace=asked,
        modes=sorted(MODES),
        **wanted,
    )


@blueprint.get("/<app_id>")
@guard.login_required
def show(app_id: str) -> ResponseReturnValue:
    """An app with an empty form, and my runs of it."""
    return _page_of(_app(app_id), None)


@blueprint.get("/<app_id>/runs/<run_id>")
@guard.login_required
def run(app_id: str, run_id: str) -> ResponseReturnValue:
    """One run of mine, by run id or task id; anybody else's is as absent as one that never was (404)."""
    app = _app(app_id)
    found = store.runs.visible(store.cookies.caller(guard.me()), app.id, run_id)
    if found is None:
        raise Refusal("not_found")
    return _page_of(app, found)


def _app(app_id: str) -> App:
    return store.apps.visible(store.cookies.caller(guard.me()), app_id)


def _page_of(app: App, current: Run | None) -> str:
    caller = store.cookies.caller(guard.me())
    version = store.apps.version(app.id, None)
    # A run belongs to the version it began with: its form and its graph are drawn from that one.
    ran = store.apps.version(app.id, current.version_id) if current else None
    shown = ran or version
    number = _page()
    runs, total = store.run_lists.page(caller, app.id, page=number, limit=RUNS_AT_ONCE)
    turns = []
    if current and current.conversation_id:
        turns = store.run_lists.turns(caller, app.id, current.conversation_id)
    g.scripts = True
    return render_template(
        "app.html",
        app=app,
        scripts=SCRIPTS,
        runnable=version is not None,
        run=current,
        answer=store.run_lists.answer(current.message_id) if current else "",
        turns=turns,
        fields=fields(shown.definition, current.inputs if current else None) if shown else [],
        attachments=attachments(shown.definition) if shown else None,
        query=takes_query(app.mode),
        words=parameters(shown.definition if shown else None),
        picture=picture(shown.definition) if shown else None,
        runs=runs,
        total=total,
        page=number,
        pages=-(-total // RUNS_AT_ONCE),
    )


def here(page: int) -> str:
    """The address of this very list at another page."""
    # Only what the lists know: `_scheme` and its like would steer `url_for` itself.
    kept = {key: request.args[key] for key in ("workspace", *FILTERS) if request.args.get(key)}
    values: dict[str, Any] = {**kept, **(request.view_args or {}), "page": page}
    return url_for(str(request.endpoint), **values)


def _page() -> int:
    """The page asked for; anything that is no page is the first."""
    asked = request.args.get("page", "")
    return min(max(int(asked), 1), LAST_PAGE) if asked.isascii() and asked.isdigit() and len(asked) < 8 else 1
