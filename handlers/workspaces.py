"""Tag ``workspaces``: the workspaces an account belongs to."""

from __future__ import annotations

from typing import Any

import store.workspaces
from store.caller import Caller
from store.clock import rfc3339
from store.refusal import Refusal
from store.workspaces import WorkspaceRow


def summary(row: WorkspaceRow) -> dict[str, Any]:
    """Model ``WorkspaceSummaryResponse``."""
    return {"id": row.id, "name": row.name, "role": row.role, "status": row.status, "current": row.current}


def list_workspaces(user: Caller) -> dict[str, Any]:
    """Operation ``listWorkspaces``: oldest first."""
    return {"workspaces": [summary(row) for row in store.workspaces.of(user.account_id)]}


def get_workspace(user: Caller, workspace_id: str) -> dict[str, Any]:
    """Operation ``getWorkspace``, archived ones too. Raises ``not_found`` for absent and for foreign ones alike."""
    row = store.workspaces.visible(user.account_id, workspace_id, archived=True)
    if row is None:
        raise Refusal("not_found", "Workspace not found.")
    return {**summary(row), "created_at": rfc3339(row.created_at)}
