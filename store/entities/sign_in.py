"""Issued tokens, and devices that ask to be let in."""

from __future__ import annotations

from typing import Any

from pony.orm import Optional, PrimaryKey, Required


def declare(base: Any) -> None:
    """Define the entities on ``base``, the ``Entity`` of a database."""

    class Session(base):
        _table_ = "sessions"
        id = PrimaryKey(str)
        token_hash = Optional(str, nullable=True, unique=True)
        prefix = Required(str)
        subject = Required(str)
        account_id = Optional(str, nullable=True)
        email = Required(str)
        issuer = Required(str)
        client_id = Required(str)
        device_label = Required(str)
        created_at = Required(int, size=64)
        last_used_at = Optional(int, size=64)
        expires_at = Required(int, size=64)
        revoked_at = Optional(int, size=64)

    class DeviceFlow(base):
        _table_ = "device_flows"
        device_hash = PrimaryKey(str)
        user_hash = Required(str, unique=True)
        client_id = Required(str)
        device_label = Required(str)
        address = Optional(str)
        status = Required(str)
        account_id = Optional(str, nullable=True)
        interval_s = Required(int)
        last_poll_at = Optional(int, size=64)
        created_at = Required(int, size=64)
        expires_at = Required(int, size=64)
