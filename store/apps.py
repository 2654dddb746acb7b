"""Apps: reading them, with the permission to read as part of the query.

The writing half (create, publish, delete, access) is ``store.app_changes``; its functions are offered here as
well.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from store import db, sql
from store.app_changes import create as create
from store.app_changes import delete as delete
from store.app_changes import publish as publish
from store.app_changes import save_draft as save_draft
from store.app_changes import set_access as set_access
from store.app_changes import set_api as set_api
from store.app_row import JOINS, SELECT, app_of, tags_of
from store.app_row import App as App
from store.caller import Caller
from store.clock import from_micros
from store.refusal import Refusal

OPEN_TO_EXTERNALS = frozenset({"public", "sso_verified"})
OPEN_SQL = "a.access_mode IN ('public', 'sso_verified')"


@dataclass(frozen=True, slots=True)
class Version:
    """One stored definition of an app; published ones never change, the draft does."""

    id: str
    app_id: str
    is_draft: bool
    definition: dict[str, Any]
    source: str
    created_at: datetime


@db.reads
def visible(caller: Caller, app_id: str) -> App:
    """The app, if this caller may use it (behaviour of §2.7: accounts by membership, externals by access
    mode).

    Errors: ``not_found`` (absent, deleted, in an archived workspace, or a workspace the account is not in:
    strangers learn nothing), then ``access_mode_denied`` for an account, then ``service_api_disabled``. An external
    subject is a stranger to every app that is not open to it, whatever its access mode is.
    """
    wanted = sql.uuid_or_none(app_id)
    app = _member_app(caller, wanted) if caller.account_id else _external_app(wanted)
    admitted = app is not None and _admitted(caller, app)
    if app is None or (caller.account_id is None and not admitted):
        raise Refusal("not_found", "App not found.")
    if not admitted:
        raise Refusal("access_mode_denied", hint=f"The access mode of this app is {app.access_mode}.")
    if not app.enable_api:
        raise Refusal("service_api_disabled")
    return app


def _member_app(caller: Caller, app_id: str | None) -> App | None:
    found = app_id and sql.row(
        f"SELECT {SELECT} {JOINS} JOIN memberships m ON m.workspace_id = a.workspace_id"
        " WHERE a.id = ? AND a.status = 'normal' AND w.status = 'normal' AND m.account_id = ?",
        app_id,
        caller.account_id,
    )
    return app_of(found, tags_of([found[0]]).get(found[0], ())) if found else None


def _external_app(app_id: str | None) -> App | None:
    found = app_id and sql.row(
        f"SELECT {SELECT} {JOINS} WHERE a.id = ? AND a.status = 'normal' AND w.status = 'normal'", app_id
    )
    return app_of(found, tags_of([found[0]]).get(found[0], ())) if found else None


def _admitted(caller: Caller, app: App) -> bool:
    if caller.account_id is None:
        return app.access_mode in OPEN_TO_EXTERNALS
    if app.access_mode != "private" or app.author_id == caller.account_id:
        return True
    listed = "SELECT 1 FROM app_grants g JOIN accounts c ON c.email_key = g.email_key"
    return sql.row(f"{listed} WHERE g.app_id = ? AND c.id = ?", app.id, caller.account_id) is not None


@db.reads
def page(
    caller: Caller,
    workspace_id: str,
    *,
    page: int = 1,
    limit: int = 20,
    mode: str | None = None,
    name: str | None = None,
    tag: str | None = None,
) -> tuple[list[App], int]:
    """One page of a workspace's apps that have their API on, newest first, and how many match.

    In: ``mode`` exact; ``name`` a literal substring in any case, or a UUID for that very app; ``tag`` exact;
    empty means no filter; pages count from 1. Errors: ``not_found`` when the workspace is absent, archived or
    not the caller's.
    """
    wanted = sql.uuid_or_none(workspace_id)
    member = (
        "SELECT 1 FROM memberships m JOIN workspaces w ON w.id = m.workspace_id"
        " WHERE m.workspace_id = ? AND m.account_id = ? AND w.status = 'normal'"
    )
    if wanted is None or caller.account_id is None or not sql.row(member, wanted, caller.account_id):
        raise Refusal("not_found", "there is no such workspace")
    where, values = _filters(mode, name, tag)
    where.insert(0, "a.workspace_id = ? AND a.status = 'normal' AND a.enable_api = ?")
    return _page("FROM apps a", where, [wanted, True, *values], page, limit)


@db.reads
def permitted(
    caller: Caller, page: int = 1, limit: int = 20, mode: str | None = None, name: str | None = None
) -> tuple[list[App], int]:
    """One page of the apps, of all workspaces, that are open to external subjects, newest first, and how many
    match.

    Tags and author are left out: they belong to the workspace. Errors: ``unsupported_token_type`` for an
    account.
    """
    if caller.account_id is not None:
        raise Refusal("unsupported_token_type")
    where, values = _filters(mode, name, None)
    where.insert(0, f"{OPEN_SQL} AND a.status = 'normal' AND a.enable_api = ? AND w.status = 'normal'")
    joined = "FROM apps a JOIN workspaces w ON w.id = a.workspace_id"
    rows, total = _page(joined, where, [True, *values], page, limit)
    return [app.for_strangers() for app in rows], total


def _filters(mode: str | None, name: str | None, tag: str | None) -> tuple[list[str], list[object]]:
    where: list[str] = []
    values: list[object] = []
    if mode:
        where.append("a.mode = ?")
        values.append(sql.text(mode))
    if name and (exact := sql.uuid_or_none(name)):
        where.append("a.id = ?")
        values.append(exact)
    elif name:
        literal = name.casefold().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        where.append("a.name_key LIKE ? ESCAPE '\\'" if "\x00" not in name else "1 = 0 AND a.name_key <> ?")
        values.append(f"%{sql.text(literal)}%")
    if tag:
        where.append("a.id IN (SELECT t.app_id FROM app_tags t WHERE t.name = ?)" if "\x00" not in tag else "1 = 0")
        values.extend([sql.text(tag)] if "\x00" not in tag else [])
    return where, values


def _page(source: str, where: list[str], values: list[object], page: int, limit: int) -> tuple[list[App], int]:
    """Count, then find the ids of the page in index order, then fetch just those rows."""
    condition = " AND ".join(where)
    counted = sql.row(f"SELECT COUNT(*) {source} WHERE {condition}", *values)
    total, offset = int(counted[0]) if counted else 0, (page - 1) * limit
    if offset >= total:
        return [], total
    order = "ORDER BY a.created_at DESC, a.id DESC"
    chosen = f"SELECT a.id {source} WHERE {condition} {order} LIMIT ? OFFSET ?"
    found = sql.rows(f"SELECT {SELECT} {JOINS} WHERE a.id IN ({chosen}) {order}", *values, limit, offset)
    tags = tags_of([one[0] for one in found])
    return [app_of(one, tags.get(one[0], ())) for one in found], total


@db.reads
def version(app_id: str, version_id: str | None) -> Version | None:
    """A version of the app; None as id means the published one. Out: None when unknown, another app's, or
    unpublished.

    Ask only for an app that ``visible`` returned.
    """
    columns = "SELECT v.id, v.app_id, v.is_draft, v.definition, v.source, v.created_at FROM versions v"
    if version_id is None:
        found = sql.row(f"{columns} JOIN apps a ON a.published_id = v.id WHERE a.id = ?", app_id)
    else:
        found = sql.row(f"{columns} WHERE v.id = ? AND v.app_id = ?", sql.uuid_or_none(version_id), app_id)
    if found is None:
        return None
    return Version(found[0], found[1], bool(found[2]), json.loads(found[3]), found[4], from_micros(found[5]))


@db.reads
def draft(app_id: str) -> Version | None:
    """The draft of an app, None for an unknown app. Ask only for an app that was found with permission."""
    found = sql.row("SELECT id FROM versions WHERE app_id = ? AND is_draft = ?", app_id, True)
    return version(app_id, found[0]) if found else None


@db.reads
def for_operator_list_all() -> list[App]:
    """Every app, oldest first (for the operator's command line; never in a handler)."""
    found = sql.rows(f"SELECT {SELECT} {JOINS} WHERE a.status = 'normal' ORDER BY a.created_at, a.id")
    tags = tags_of([one[0] for one in found])
    return [app_of(one, tags.get(one[0], ())) for one in found]


@db.reads
def for_operator_get(app_id: str) -> App | None:
    """An app by id, asking nobody's permission (for the operator's command line and a run's worker)."""
    return _external_app(sql.uuid_or_none(app_id))
