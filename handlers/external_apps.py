"""Tag ``external_apps``: what a caller of an external identity provider may run."""

from __future__ import annotations

from typing import Any

import store.apps
from handlers import paging
from handlers.apps import row
from store.caller import Caller


def list_permitted_external_apps(
    user: Caller, page: int = 1, limit: int = 20, mode: str | None = None, name: str | None = None
) -> dict[str, Any]:
    """Operation ``listPermittedExternalApps``: filtered before it is counted, so ``total`` is true.

    Tags and authors stay inside the workspace: the list crosses workspaces.
    """
    rows, total = store.apps.permitted(user, page, limit, mode, name)
    data = [{**row(app), "tags": [], "created_by_name": None} for app in rows]
    return paging.envelope(data, total, page, limit)
