"""Apps: making and changing them. Nothing here asks for permission: these are the operator's."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from store import db, revocations, sql
from store.app_row import JOINS, SELECT, App, app_of
from store.clock import current_ids, now_micros
from store.refusal import Refusal

ACCESS_MODES = frozenset({"public", "private", "private_all", "sso_verified"})


@db.writes
def create(
    workspace_id: str,
    author_id: str | None,
    *,
    name: str,
    mode: str,
    description: str = "",
    definition: dict[str, Any],
    source: str,
    tags: Iterable[str] = (),
    icon: str | None = None,
    icon_type: str | None = None,
    icon_background: str | None = None,
    access_mode: str = "private_all",
    enable_api: bool = True,
) -> App:
    """Make an app with its draft; it is not published yet.

    In: the definition as JSON-able data and as the text it came from. Errors: ``not_found`` for an unknown
    workspace, ``invalid_param`` for an unknown access mode.
    """
    _check_access_mode(access_mode)
    if not sql.row("SELECT id FROM workspaces WHERE id = ?", workspace_id):
        raise Refusal("not_found", "there is no such workspace")
    app_id, now, clean = current_ids().uuid7(), now_micros(), sql.text(name)
    db.entity("App")(
        id=app_id,
        workspace_id=workspace_id,
        author_id=author_id,
        name=clean,
        name_key=clean.casefold(),
        mode=mode,
        description=sql.text(description),
        icon_type=icon_type,
        icon=icon,
        icon_background=icon_background,
        status="normal",
        enable_api=enable_api,
        access_mode=access_mode,
        created_at=now,
        updated_at=now,
    )
    db.entity("Version")(
        id=current_ids().uuid7(),
        app_id=app_id,
        is_draft=True,
        definition=sql.to_json(definition),
        source=sql.text(source),
        created_at=now,
    )
    _set_tags(app_id, tags)
    found = sql.row(f"SELECT {SELECT} {JOINS} WHERE a.id = ?", app_id)
    if found is None:
        raise Refusal("not_found", "there is no such workspace")
    return app_of(found, tuple(dict.fromkeys(map(sql.text, tags))))


@db.writes
def save_draft(
    app_id: str,
    *,
    definition: dict[str, Any],
    source: str,
    name: str | None = None,
    description: str | None = None,
    tags: Iterable[str] | None = None,
) -> bool:
    """Replace the draft, and what else is given; False for an unknown app. The published version stays as it
    is."""
    app = sql.locked("SELECT name, description FROM apps WHERE id = ? AND status = 'normal'", app_id)
    if app is None:
        return False
    now, clean = now_micros(), app[0] if name is None else sql.text(name)
    sql.change(
        "UPDATE apps SET name = ?, name_key = ?, description = ?, updated_at = ? WHERE id = ?",
        clean,
        clean.casefold(),
        app[1] if description is None else sql.text(description),
        now,
        app_id,
    )
    if tags is not None:
        _set_tags(app_id, tags)
    statement = "UPDATE versions SET definition = ?, source = ?, created_at = ? WHERE app_id = ? AND is_draft = ?"
    return sql.change(statement, sql.to_json(definition), sql.text(source), now, app_id, True) == 1


@db.writes
def publish(app_id: str) -> str:
    """Freeze the draft as a new version and make it the published one; out: its id. Errors: ``not_found``."""
    app = sql.locked("SELECT id FROM apps WHERE id = ? AND status = 'normal'", app_id)
    if app is None:
        raise Refusal("not_found", "App not found.")
    version_id, now = current_ids().uuid7(), now_micros()
    sql.change(
        "INSERT INTO versions (id, app_id, is_draft, definition, source, created_at)"
        " SELECT ?, app_id, ?, definition, source, ? FROM versions WHERE app_id = ? AND is_draft = ?",
        version_id,
        False,
        now,
        app_id,
        True,
    )
    sql.change("UPDATE apps SET published_id = ?, updated_at = ? WHERE id = ?", version_id, now, app_id)
    return version_id


@revocations.told
@db.writes
def delete(app_id: str) -> bool:
    """Take an app away from everybody; False if there is none. Its rows stay, for runs still going."""
    statement = "UPDATE apps SET status = 'deleted', updated_at = ? WHERE id = ? AND status = 'normal'"
    return sql.change(statement, now_micros(), sql.uuid_or_none(app_id)) == 1


@revocations.told
@db.writes
def set_access(app_id: str, mode: str, allowed_emails: Iterable[str] = ()) -> bool:
    """Set who may use an app, and for mode ``private`` which accounts; False for an unknown app.

    Errors: ``invalid_param`` for an unknown mode.
    """
    _check_access_mode(mode)
    statement = "UPDATE apps SET access_mode = ?, updated_at = ? WHERE id = ? AND status = 'normal'"
    if sql.change(statement, mode, now_micros(), app_id) != 1:
        return False
    sql.change("DELETE FROM app_grants WHERE app_id = ?", app_id)
    for key in sorted({sql.text(email).strip().casefold() for email in allowed_emails}):
        sql.change("INSERT INTO app_grants (app_id, email_key) VALUES (?, ?)", app_id, key)
    return True


@revocations.told
@db.writes
def set_api(app_id: str, enabled: bool) -> bool:
    """Switch an app's service API on or off; False for an unknown app."""
    statement = "UPDATE apps SET enable_api = ?, updated_at = ? WHERE id = ? AND status = 'normal'"
    return sql.change(statement, enabled, now_micros(), app_id) == 1


def _check_access_mode(mode: str) -> None:
    if mode not in ACCESS_MODES:
        raise Refusal("invalid_param", f"unknown access mode {mode!r}: one of {', '.join(sorted(ACCESS_MODES))}")


def _set_tags(app_id: str, tags: Iterable[str]) -> None:
    sql.change("DELETE FROM app_tags WHERE app_id = ?", app_id)
    for position, name in enumerate(dict.fromkeys(map(sql.text, tags))):
        sql.change("INSERT INTO app_tags (app_id, name, position) VALUES (?, ?, ?)", app_id, name, position)
