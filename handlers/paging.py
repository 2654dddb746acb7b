"""The one envelope of every paged list."""

from __future__ import annotations

from typing import Any


def envelope(data: list[dict[str, Any]], total: int, page: int, limit: int) -> dict[str, Any]:
    """Rows of this page with what a client needs to ask for the next (``page`` and ``limit`` from 1)."""
    return {"page": page, "limit": limit, "total": total, "has_more": page * limit < total, "data": data}
