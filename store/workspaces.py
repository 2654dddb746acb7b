"""Workspaces and who belongs to them.

One rule for archived workspaces: they appear in ``of`` (status ``archive``) so that a person sees where a
workspace went, and everywhere else they are as good as absent.
"""

# ruff: noqa: S608 - statements are joined from constants only; every value goes through a mark
from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from store import db, revocations, sql
from store.clock import current_ids, from_micros, now_micros
from store.refusal import Refusal

ROLES = frozenset({"owner", "admin", "editor", "normal", "dataset_operator"})
STATUSES = frozenset({"normal", "archive"})
MINE = (
    "SELECT w.id, w.name, m.role, w.status, m.is_current, w.created_at"
    " FROM memberships m JOIN workspaces w ON w.id = m.workspace_id WHERE m.account_id = ?"
)


@dataclass(frozen=True, slots=True)
class Workspace:
    """A workspace on its own."""

    id: str
    name: str
    status: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class WorkspaceRow:
    """A workspace as one of its members sees it."""

    id: str
    name: str
    role: str
    status: str
    current: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Member:
    """An account as a member of a workspace; ``status`` is the account's."""

    account_id: str
    email: str
    name: str
    role: str
    status: str


@db.writes
def create(name: str, owner_id: str, status: str = "normal") -> Workspace:
    """Make a workspace owned by an account; it becomes the account's current one if it has none.

    Errors: ``invalid_param`` for an unknown status, ``not_found`` for an unknown account.
    """
    if status not in STATUSES:
        raise Refusal("invalid_param", f"unknown workspace status {status!r}: normal or archive")
    workspace_id, now, clean = current_ids().uuid7(), now_micros(), sql.text(name)
    sql.change(
        "INSERT INTO workspaces (id, name, status, created_at) VALUES (?, ?, ?, ?)",
        workspace_id,
        clean,
        status,
        now,
    )
    add_member(workspace_id, owner_id, "owner")
    return Workspace(workspace_id, clean, status, from_micros(now))


@db.writes
def add_member(workspace_id: str, account_id: str, role: str) -> None:
    """Let an account into a workspace. Errors: ``invalid_param`` (role), ``not_found`` (either), ``conflict``
    (is one)."""
    if role not in ROLES:
        raise Refusal("invalid_param", f"unknown role {role!r}: one of {', '.join(sorted(ROLES))}")
    if not sql.locked("SELECT id FROM accounts WHERE id = ?", account_id):
        raise Refusal("not_found", "there is no such account")
    if not sql.locked("SELECT id FROM workspaces WHERE id = ?", workspace_id):
        raise Refusal("not_found", "there is no such workspace")
    taken = "account_id = ? OR (role = 'owner' AND ? = 'owner')"
    if sql.row(f"SELECT 1 FROM memberships WHERE workspace_id = ? AND ({taken})", workspace_id, account_id, role):
        raise Refusal("conflict", "the account is a member already, or the workspace has an owner")
    has_current = sql.row("SELECT 1 FROM memberships WHERE account_id = ? AND is_current = ?", account_id, True)
    sql.change(
        "INSERT INTO memberships (workspace_id, account_id, role, is_current, created_at) VALUES (?, ?, ?, ?, ?)",
        workspace_id,
        account_id,
        role,
        has_current is None,
        now_micros(),
    )


@db.writes
def set_role(workspace_id: str, account_id: str, role: str) -> bool:
    """Change the role of a member who is not the owner; False if there is no such member."""
    if role not in ROLES - {"owner"}:
        raise Refusal("invalid_param", f"the role {role!r} cannot be given")
    statement = "UPDATE memberships SET role = ? WHERE workspace_id = ? AND account_id = ? AND role <> 'owner'"
    return sql.change(statement, role, workspace_id, account_id) == 1


@revocations.told
@db.writes
def remove_member(workspace_id: str, account_id: str) -> bool:
    """Take a member who is not the owner out of a workspace; False if there is no such member."""
    statement = "DELETE FROM memberships WHERE workspace_id = ? AND account_id = ? AND role <> 'owner'"
    return sql.change(statement, workspace_id, account_id) == 1


@revocations.told
@db.writes
def set_status(workspace_id: str, status: str) -> bool:
    """Archive a workspace or bring it back; False if there is none."""
    if status not in STATUSES:
        raise Refusal("invalid_param", f"unknown workspace status {status!r}: normal or archive")
    return sql.change("UPDATE workspaces SET status = ? WHERE id = ?", status, workspace_id) == 1


@db.reads
def of(account_id: str | None) -> list[WorkspaceRow]:
    """The workspaces of an account, archived ones included, oldest first."""
    return [_mine(found) for found in sql.rows(MINE + " ORDER BY w.created_at, w.id", account_id)]


@db.reads
def visible(account_id: str | None, workspace_id: str, *, archived: bool = False) -> WorkspaceRow | None:
    """The workspace if the account is a member; None for absent and for not yours alike, and for an archived
    one unless ``archived`` asks for it too."""
    wanted = sql.uuid_or_none(workspace_id)
    found = sql.row(MINE + " AND w.id = ?", account_id, wanted) if wanted else None
    mine = _mine(found) if found else None
    return mine if mine and (archived or mine.status == "normal") else None


def default_of(mine: list[WorkspaceRow]) -> str | None:
    """Which of an account's workspaces a client should start in: the current one, else the oldest that is not
    archived."""
    usable = [one for one in mine if one.status == "normal"]
    return next((one.id for one in usable if one.current), usable[0].id if usable else None)


def default_id(account_id: str) -> str | None:
    """``default_of`` for an account; None when it belongs to no workspace that is in use."""
    return default_of(of(account_id))


@db.writes
def set_current(account_id: str, workspace_id: str) -> WorkspaceRow:
    """Make a workspace the account's current one. Errors: ``not_found`` (absent, archived, or not yours)."""
    sql.locked("SELECT id FROM accounts WHERE id = ?", account_id)  # two switches at once leave one current workspace
    wanted = visible(account_id, workspace_id)
    if wanted is None:
        raise Refusal("not_found", "there is no such workspace")
    sql.change("UPDATE memberships SET is_current = (workspace_id = ?) WHERE account_id = ?", wanted.id, account_id)
    return WorkspaceRow(wanted.id, wanted.name, wanted.role, wanted.status, True, wanted.created_at)


@db.reads
def for_operator_list_all() -> list[Workspace]:
    """Every workspace, oldest first (for the operator's command line; never in a handler)."""
    found = sql.rows("SELECT id, name, status, created_at FROM workspaces ORDER BY created_at, id")
    return [Workspace(one[0], one[1], one[2], from_micros(one[3])) for one in found]


@db.reads
def members(workspace_id: str) -> list[Member]:
    """The members of a workspace, the owner first, then as they came (for the operator's command line)."""
    statement = (
        "SELECT a.id, a.email, a.name, m.role, a.status FROM memberships m JOIN accounts a ON a.id = m.account_id"
        " WHERE m.workspace_id = ? ORDER BY CASE WHEN m.role = 'owner' THEN 0 ELSE 1 END, m.created_at, a.id"
    )
    return [Member(*found) for found in sql.rows(statement, workspace_id)]


@db.reads
def addresses_of_app(app_id: str) -> dict[str, str]:
    """The e-mail addresses of the active members of an app's workspace, by account (for what an app sends them)."""
    statement = (
        "SELECT a.id, a.email FROM apps p JOIN memberships m ON m.workspace_id = p.workspace_id"
        " JOIN accounts a ON a.id = m.account_id WHERE p.id = ? AND a.status = 'active' ORDER BY m.created_at, a.id"
    )
    return {found[0]: found[1] for found in sql.rows(statement, app_id)}


def _mine(found: sql.Row) -> WorkspaceRow:
    return WorkspaceRow(found[0], found[1], found[2], found[3], bool(found[4]), from_micros(found[5]))
