"""Idempotency keys: a request that is sent twice begins one run (draft-ietf-httpapi-idempotency-key-header)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from store import db, sql
from store.caller import Caller
from store.clock import now_micros
from store.refusal import Refusal

KEPT_MICROS = 24 * 3600 * 1_000_000


@dataclass(frozen=True, slots=True)
class Claim:
    """A request that is not to be carried out twice; key and body as SHA-256."""

    subject: str
    app_id: str
    key_hash: str
    body_hash: str


def claim(caller: Caller, app_id: str, key: str, body: Mapping[str, Any]) -> Claim:
    """The claim of a request with this key; bodies are the same when their JSON values are."""
    text = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return Claim(caller.subject, app_id, sql.sha256(key), sql.sha256(text))


@db.reads
def run_of(wanted: Claim) -> str | None:
    """The id of the run that this request began in the last 24 hours; None when it is new.

    Refusal: idempotency_conflict when the key belongs to another body.
    """
    statement = (
        "SELECT body_hash, run_id FROM idempotency_keys"
        " WHERE subject = ? AND app_id = ? AND key_hash = ? AND created_at > ?"
    )
    young = now_micros() - KEPT_MICROS
    found = sql.row(statement, wanted.subject, wanted.app_id, wanted.key_hash, young)
    if found is None:
        return None
    if found[0] != wanted.body_hash:
        raise Refusal("idempotency_conflict", hint="Make a new key for each new request.")
    return str(found[1])


@db.writes
def keep(wanted: Claim, run_id: str) -> None:
    """Note which run a request began. Of two at once the second fails with an IntegrityError, which begins its
    transaction again; then `run_of` finds the first one's run. What is older than 24 hours is forgotten.
    """
    now = now_micros()
    sql.change("DELETE FROM idempotency_keys WHERE subject = ? AND created_at <= ?", wanted.subject, now - KEPT_MICROS)
    sql.change(
        "INSERT INTO idempotency_keys (subject, app_id, key_hash, body_hash, run_id, created_at)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        wanted.subject,
        wanted.app_id,
        wanted.key_hash,
        wanted.body_hash,
        run_id,
        now,
    )
