"""What somebody who was let in may lose: for open streams, which last longer than one look at it.

`marks` asks for many at once, in one statement, what access rests on; where these have changed `refusal` applies the
same rule as to a new request.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from store import apps, db, sql
from store.caller import Caller
from store.clock import now_micros
from store.refusal import Refusal

AT_ONCE = 200
_MARKS = """
SELECT h.place,
 CASE WHEN h.session_id <> '' THEN EXISTS (SELECT 1 FROM sessions s
   WHERE s.id = h.session_id AND s.revoked_at IS NULL AND s.expires_at > ?)
  WHEN h.cookie_hash <> '' THEN EXISTS (SELECT 1 FROM cookies k
   WHERE k.cookie_hash = h.cookie_hash AND k.expires_at > ?)
  ELSE TRUE END,
 (SELECT c.status FROM accounts c WHERE c.id = h.account_id),
 a.status, a.access_mode, a.enable_api, a.author_id, w.status, m.account_id,
 EXISTS (SELECT 1 FROM app_grants g JOIN accounts c ON c.email_key = g.email_key
   WHERE g.app_id = h.app_id AND c.id = h.account_id)
FROM held h LEFT JOIN apps a ON a.id = h.app_id LEFT JOIN workspaces w ON w.id = a.workspace_id
 LEFT JOIN memberships m ON m.workspace_id = a.workspace_id AND m.account_id = h.account_id
"""


@dataclass(frozen=True, slots=True)
class Access:
    """Of one caller, by one token or page, to one app; equal for all streams that rest on the same."""

    session_id: str
    cookie_hash: str
    subject: str
    app_id: str
    caller: Caller = field(compare=False, repr=False)


class Marks(NamedTuple):
    """What access rests on, as it is now: the token or page, and the rest only to be compared with other marks."""

    is_signed_in: bool
    rest: tuple[object, ...]


def of(caller: Caller, app_id: str) -> Access:
    """The access of a caller who was let in to an app."""
    return Access(caller.session_id, caller.cookie_hash, caller.subject, app_id, caller)


@db.reads
def marks(held: Sequence[Access]) -> list[Marks]:
    """The marks of each, in their order; a statement for each ``AT_ONCE`` of them."""
    return [one for first in range(0, len(held), AT_ONCE) for one in _marks(held[first : first + AT_ONCE])]


def _marks(held: Sequence[Access]) -> list[Marks]:
    values = [
        value
        for place, one in enumerate(held)
        for value in (place, one.session_id, one.cookie_hash, one.caller.account_id or "", one.app_id)
    ]
    given = ", ".join("(?, ?, ?, ?, ?)" for _ in held)
    statement = f"WITH held (place, session_id, cookie_hash, account_id, app_id) AS (VALUES {given}) {_MARKS}"
    found = {row[0]: row[1:] for row in sql.rows(statement, *values, now_micros(), now_micros())}
    return [_of_row(found[place], one) for place, one in enumerate(held)]


def _of_row(row: sql.Row, one: Access) -> Marks:
    is_active = one.caller.account_id is None or row[1] == "active"
    return Marks(bool(row[0]) and is_active, tuple(row[2:]))


@db.reads
def refusal(one: Access) -> Refusal | None:
    """Why the access is gone, as a new request would be told; None while it is there."""
    if not marks([one])[0].is_signed_in:
        return Refusal("invalid_token")
    try:
        apps.visible(one.caller, one.app_id)
    except Refusal as problem:
        return problem
    return None
