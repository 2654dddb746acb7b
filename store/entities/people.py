"""Accounts, their page sign-ins, workspaces and who belongs to them."""

from __future__ import annotations

from typing import Any

from pony.orm import Optional, PrimaryKey, Required


def declare(base: Any) -> None:
    """Define the entities on ``base``, the ``Entity`` of a database."""

    class Account(base):
        _table_ = "accounts"
        id = PrimaryKey(str)
        email = Required(str)
        email_key = Required(str, unique=True)
        name = Required(str)
        password_hash = Optional(str, nullable=True)
        status = Required(str)
        created_at = Required(int, size=64)

    class Cookie(base):
        _table_ = "cookies"
        cookie_hash = PrimaryKey(str)
        account_id = Required(str)
        created_at = Required(int, size=64)
        expires_at = Required(int, size=64)

    class Workspace(base):
        _table_ = "workspaces"
        id = PrimaryKey(str)
        name = Required(str)
        status = Required(str)
        created_at = Required(int, size=64)

    class Membership(base):
        _table_ = "memberships"
        workspace_id = Required(str)
        account_id = Required(str)
        role = Required(str)
        is_current = Required(bool)
        created_at = Required(int, size=64)
        PrimaryKey(workspace_id, account_id)
