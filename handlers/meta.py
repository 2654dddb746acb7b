"""Tag ``meta``: is the server there, and which API does it speak."""

from __future__ import annotations

from typing import Any

from handlers import config

API_LEVEL = "1.14.2"  # clients compare this with the range they support


async def get_health() -> dict[str, Any]:
    """Operation ``getHealth``: touches nothing, so it answers even when the database does not."""
    return {"ok": True}


async def get_version() -> dict[str, Any]:
    """Operation ``getVersion``: the API level clients check, and beside it the server's own version."""
    return {
        "version": API_LEVEL,
        "edition": "SELF_HOSTED",
        "server": f"difyspec/{config.current().server_version}",
    }
