"""The plain value of an app and how it is read from a row."""

# ruff: noqa: S608 - statements are joined from constants only; every value goes through a mark
from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from store import sql
from store.clock import from_micros

SELECT = (
    "a.id, a.workspace_id, w.name, a.name, a.mode, a.description, a.author_id, c.name, a.icon_type, a.icon,"
    " a.icon_background, a.access_mode, a.enable_api, a.published_id, a.created_at, a.updated_at"
)
JOINS = "FROM apps a JOIN workspaces w ON w.id = a.workspace_id LEFT JOIN accounts c ON c.id = a.author_id"
TAGS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class App:
    """An app; ``published_id`` is None until it is first published, ``author_name`` None when the author is
    gone."""

    id: str
    workspace_id: str
    workspace_name: str
    name: str
    mode: str
    description: str
    author_id: str | None
    author_name: str | None
    icon_type: str | None
    icon: str | None
    icon_background: str | None
    access_mode: str
    enable_api: bool
    published_id: str | None
    created_at: datetime
    updated_at: datetime
    tags: tuple[str, ...] = ()

    def for_strangers(self) -> App:
        """The app without what belongs to its workspace: tags and author."""
        return replace(self, tags=(), author_id=None, author_name=None)


def app_of(found: sql.Row, tags: tuple[str, ...]) -> App:
    """The app of a row selected as ``SELECT``."""
    values = [*sql.converted(found, {12: bool, 14: from_micros, 15: from_micros}), tags]
    return App(*values)


def tags_of(app_ids: list[str]) -> dict[str, tuple[str, ...]]:
    """The tags of these apps, each in its stored order."""
    tags: dict[str, list[tuple[int, str]]] = {}
    for first in range(0, len(app_ids), TAGS_AT_ONCE):
        some = app_ids[first : first + TAGS_AT_ONCE]
        marks = ", ".join("?" for _ in some)
        statement = f"SELECT app_id, position, name FROM app_tags WHERE app_id IN ({marks})"
        for app_id, position, name in sql.rows(statement, *some):
            tags.setdefault(app_id, []).append((position, name))
    return {app_id: tuple(name for _, name in sorted(placed)) for app_id, placed in tags.items()}
