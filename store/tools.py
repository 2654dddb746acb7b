"""Imported APIs: their operations are tools for the apps of one workspace."""

# ruff: noqa: S608 - statements are joined from constants only; every value goes through a mark
from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from store import db, sql
from store.clock import current_ids, from_micros, now_micros

COLUMNS = "t.id, t.workspace_id, t.name, t.definition, t.sealed_credential, t.created_at, t.updated_at"


@dataclass(frozen=True, slots=True)
class Provider:
    """One imported API. ``definition`` is what was read from its document; ``sealed_credential`` is encrypted."""

    id: str
    workspace_id: str
    name: str
    definition: dict[str, Any]
    sealed_credential: str | None
    created_at: datetime
    updated_at: datetime


@db.writes
def save(
    workspace_id: str,
    name: str,
    *,
    definition: dict[str, Any],
    source: str,
    sealed_credential: str | None,
) -> Provider:
    """Add an API to a workspace, or replace the one of this name (its id stays; without a new credential that stays
    too).
    """
    clean, now = sql.text(name), now_micros()
    found = sql.locked(
        "SELECT id FROM tool_providers WHERE workspace_id = ? AND name_key = ?", workspace_id, clean.casefold()
    )
    if found is not None:
        sql.change(
            "UPDATE tool_providers SET name = ?, definition = ?, source = ?, updated_at = ?,"
            " sealed_credential = COALESCE(?, sealed_credential) WHERE id = ?",
            clean,
            sql.to_json(definition),
            sql.text(source),
            now,
            sealed_credential,
            found[0],
        )
        provider_id = found[0]
    else:
        provider_id = current_ids().uuid7()
        sql.change(
            "INSERT INTO tool_providers (id, workspace_id, name, name_key, definition, source, sealed_credential,"
            " created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            provider_id,
            workspace_id,
            clean,
            clean.casefold(),
            sql.to_json(definition),
            sql.text(source),
            sealed_credential,
            now,
            now,
        )
    made = _provider(sql.row(f"SELECT {COLUMNS} FROM tool_providers t WHERE t.id = ?", provider_id))
    if made is None:
        raise RuntimeError("a provider that was just stored cannot be read")
    return made


@db.reads
def for_worker_find(app_id: str, provider_id: str, name: str) -> Provider | None:
    """The API of the app's own workspace with this id, or else with this name; None when there is none."""
    statement = (
        f"SELECT {COLUMNS} FROM tool_providers t JOIN apps a ON a.workspace_id = t.workspace_id"
        " WHERE a.id = ? AND (t.id = ? OR t.name_key IN (?, ?)) ORDER BY (t.id = ?) DESC, (t.name_key = ?) DESC LIMIT 1"
    )
    key, other = sql.text(name).casefold(), sql.text(provider_id).casefold()
    return _provider(sql.row(statement, app_id, provider_id, key, other, provider_id, key))


@db.reads
def for_operator_list_all(workspace_id: str | None = None) -> list[Provider]:
    """Every imported API, or a workspace's, by name."""
    where, values = (" WHERE t.workspace_id = ?", [workspace_id]) if workspace_id else ("", [])
    statement = f"SELECT {COLUMNS} FROM tool_providers t{where} ORDER BY t.name_key, t.id"
    return [one for one in map(_provider, sql.rows(statement, *values)) if one]


@db.writes
def for_operator_delete(provider_id: str) -> bool:
    """Delete an imported API with its credential; False if there is none."""
    return sql.change("DELETE FROM tool_providers WHERE id = ?", provider_id) == 1


def _provider(found: sql.Row | None) -> Provider | None:
    if found is None:
        return None
    return Provider(*sql.converted(found, {3: json.loads, 5: from_micros, 6: from_micros}))
