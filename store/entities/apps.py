"""Apps with their versions, tags and grants, and the tools of a workspace."""

from __future__ import annotations

from typing import Any

from pony.orm import LongStr, Optional, PrimaryKey, Required


def declare(base: Any) -> None:
    """Define the entities on ``base``, the ``Entity`` of a database."""

    class App(base):
        _table_ = "apps"
        id = PrimaryKey(str)
        workspace_id = Required(str)
        author_id = Optional(str, nullable=True)
        name = Required(str, autostrip=False)
        name_key = Required(str, autostrip=False)
        mode = Required(str)
        description = Optional(LongStr, autostrip=False)
        icon_type = Optional(str, nullable=True)
        icon = Optional(str, nullable=True)
        icon_background = Optional(str, nullable=True)
        status = Required(str)
        enable_api = Required(bool)
        access_mode = Required(str)
        published_id = Optional(str, nullable=True)
        created_at = Required(int, size=64)
        updated_at = Required(int, size=64)

    class Version(base):
        _table_ = "versions"
        id = PrimaryKey(str)
        app_id = Required(str)
        is_draft = Required(bool)
        definition = Required(LongStr, autostrip=False)
        source = Optional(LongStr, autostrip=False)
        created_at = Required(int, size=64)

    class SealingPass(base):
        _table_ = "sealing_passes"
        name = PrimaryKey(str)
        place = Optional(str, autostrip=False)
        finished_at = Optional(int, size=64)

    class AppTag(base):
        _table_ = "app_tags"
        app_id = Required(str)
        name = Required(str, autostrip=False)
        position = Required(int)
        PrimaryKey(app_id, name)

    class AppGrant(base):
        _table_ = "app_grants"
        app_id = Required(str)
        email_key = Required(str)
        PrimaryKey(app_id, email_key)

    class ToolProvider(base):
        _table_ = "tool_providers"
        id = PrimaryKey(str)
        workspace_id = Required(str)
        name = Required(str, autostrip=False)
        name_key = Required(str, autostrip=False)
        definition = Required(LongStr, autostrip=False)
        source = Optional(LongStr, autostrip=False)
        sealed_credential = Optional(LongStr, nullable=True)
        created_at = Required(int, size=64)
        updated_at = Required(int, size=64)
