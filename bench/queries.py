"""The same reads as ours, by hand on raw sqlite3: what a careful author would write without any framework."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import sqlite3
import time
import uuid
from datetime import UTC, datetime
from functools import cache
from typing import Any

APP = """SELECT a.id, a.workspace_id, w.name, a.name, a.mode, a.description, c.name, a.enable_api, a.updated_at
FROM apps a JOIN workspaces w ON w.id = a.workspace_id LEFT JOIN accounts c ON c.id = a.author_id"""


def connect() -> sqlite3.Connection:
    """The benchmark's database, opened as a server would."""
    connection = sqlite3.connect(os.environ["BENCH_DATABASE"], check_same_thread=False, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    return connection


@cache
def db() -> sqlite3.Connection:
    """The process's one connection."""
    return connect()


def caller(header: str | None) -> tuple[str, str, str] | None:
    """Account id, e-mail and name behind a bearer."""
    if not header or not header.startswith("Bearer "):
        return None
    hashed = hashlib.sha256(header[7:].encode()).hexdigest()
    return (
        db()
        .execute(
            "SELECT c.id, c.email, c.name FROM sessions s JOIN accounts c ON c.id = s.account_id"
            " WHERE s.token_hash = ? AND s.revoked_at IS NULL AND s.expires_at > ? AND c.status = 'active'",
            (hashed, int(time.time() * 1e6)),
        )
        .fetchone()
    )


def account(who: tuple[str, str, str]) -> dict[str, Any]:
    """The answer of ``getAccount``."""
    rows = (
        db()
        .execute(
            "SELECT w.id, w.name, m.role, m.is_current FROM memberships m JOIN workspaces w ON w.id = m.workspace_id"
            " WHERE m.account_id = ? ORDER BY w.created_at, w.id",
            (who[0],),
        )
        .fetchall()
    )
    return {
        "subject_type": "account",
        "subject_email": who[1],
        "subject_issuer": None,
        "account": {"id": who[0], "email": who[1], "name": who[2]},
        "workspaces": [{"id": row[0], "name": row[1], "role": row[2]} for row in rows],
        "default_workspace_id": next((row[0] for row in rows if row[3]), rows[0][0] if rows else None),
    }


def member(who: tuple[str, str, str], workspace_id: str) -> bool:
    """Whether the account belongs to the workspace."""
    found = (
        db()
        .execute("SELECT 1 FROM memberships WHERE workspace_id = ? AND account_id = ?", (workspace_id, who[0]))
        .fetchone()
    )
    return found is not None


def apps(workspace_id: str, page: int, limit: int) -> dict[str, Any]:
    """The answer of ``listApps``."""
    where = "a.workspace_id = ? AND a.status = 'normal' AND a.enable_api = 1"
    total = db().execute(f"SELECT COUNT(*) FROM apps a WHERE {where}", (workspace_id,)).fetchone()[0]
    rows = (
        db()
        .execute(
            f"{APP} WHERE {where} ORDER BY a.created_at DESC, a.id DESC LIMIT ? OFFSET ?",
            (workspace_id, limit, (page - 1) * limit),
        )
        .fetchall()
    )
    ids = [row[0] for row in rows]
    tags: dict[str, list[dict[str, str]]] = {}
    for app_id, name in db().execute(
        f"SELECT app_id, name FROM app_tags WHERE app_id IN ({','.join('?' * len(ids))}) ORDER BY app_id, position",
        ids,
    ):
        tags.setdefault(app_id, []).append({"name": name})
    data = [
        {
            "id": r[0],
            "name": r[3],
            "description": r[5],
            "mode": r[4],
            "tags": tags.get(r[0], []),
            "updated_at": moment(r[8]),
            "created_by_name": r[6],
            "workspace_id": r[1],
            "workspace_name": r[2],
        }
        for r in rows
    ]
    return {"page": page, "limit": limit, "total": total, "has_more": page * limit < total, "data": data}


def describe(who: tuple[str, str, str], app_id: str) -> dict[str, Any] | None:
    """The stored parts of ``describeApp``: the app, its tags, its published definition."""
    row = db().execute(f"{APP} WHERE a.id = ?", (app_id,)).fetchone()
    if row is None or not member(who, row[1]):
        return None
    tags = db().execute("SELECT name FROM app_tags WHERE app_id = ? ORDER BY position", (app_id,)).fetchall()
    definition = (
        db()
        .execute("SELECT v.definition FROM versions v JOIN apps a ON a.published_id = v.id WHERE a.id = ?", (app_id,))
        .fetchone()
    )
    from engine.inputs import parameters
    from engine.inputs import schema as input_schema

    document = json.loads(definition[0])
    return {
        "info": {
            "id": row[0],
            "name": row[3],
            "description": row[5],
            "mode": row[4],
            "author": row[6],
            "tags": [{"name": tag} for (tag,) in tags],
            "updated_at": moment(row[8]),
            "service_api_enabled": bool(row[7]),
            "is_agent": False,
        },
        "parameters": parameters.parameters(document),
        "input_schema": input_schema.input_schema(document),
    }


def device_code(client_id: str, label: str) -> dict[str, Any]:
    """The answer of ``createDeviceCode``: old codes swept, the new one stored, the audit trail written."""
    device, user = "dc_" + secrets.token_urlsafe(24), "".join(secrets.choice("ABCDEFGH") for _ in range(8))
    now = int(time.time() * 1e6)
    db().execute("DELETE FROM device_flows WHERE expires_at < ?", (now - 86_400_000_000,))
    hashed = [hashlib.sha256(one.encode()).hexdigest() for one in (device, device + user)]
    db().execute(
        "INSERT INTO device_flows (device_hash, user_hash, client_id, device_label, address, status, interval_s,"
        " created_at, expires_at) VALUES (?, ?, ?, ?, '', 'pending', 5, ?, ?)",
        (*hashed, client_id, label, now, now + 900_000_000),
    )
    db().execute(
        "INSERT INTO audit (id, at, event, actor, request_id, fields) VALUES (?, ?, ?, NULL, ?, '{}')",
        (str(uuid.uuid4()), now, "oauth.device_code_created", secrets.token_urlsafe(16)),
    )
    page = "http://127.0.0.1:8000/device"
    return {
        "device_code": device,
        "user_code": user,
        "verification_uri": page,
        "verification_uri_complete": f"{page}?user_code={user}",
        "expires_in": 900,
        "interval": 5,
    }


def moment(micros: int) -> str:
    """RFC 3339 in UTC."""
    return datetime.fromtimestamp(micros / 1e6, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
