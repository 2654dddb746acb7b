"""Tag ``apps``: find an app and learn how to run it."""

from __future__ import annotations

import hashlib
from typing import Any

import orjson
from connexion import request
from starlette.responses import Response

import store.apps
import store.workspaces
from engine.inputs import parameters
from engine.inputs import schema as input_schema
from handlers import config, paging
from store.apps import App
from store.caller import Caller
from store.clock import rfc3339
from store.refusal import Refusal

AGENT_MODES = frozenset({"agent-chat", "agent"})
BLOCKS = ("info", "parameters", "input_schema")


def list_apps(
    user: Caller,
    workspace_id: str,
    page: int = 1,
    limit: int = 20,
    mode: str | None = None,
    name: str | None = None,
    tag: str | None = None,
) -> dict[str, Any]:
    """Operation ``listApps``: newest first. Raises ``not_found`` for a workspace that is not the caller's."""
    if store.workspaces.visible(user.account_id, workspace_id) is None:
        raise Refusal("not_found", "Workspace not found.")
    rows, total = store.apps.page(user, workspace_id, page=page, limit=limit, mode=mode, name=name, tag=tag)
    return paging.envelope([row(app) for app in rows], total, page, limit)


def describe_app(
    user: Caller, app_id: str, fields: list[str] | None = None, workspace_id: str | None = None
) -> Response | tuple[dict[str, Any], int, dict[str, str]]:
    """Operation ``describeApp``: the asked blocks, the others null; ``304`` for a known ``ETag``.

    Raises ``not_found``, the access refusals of ``store.apps.visible``, and ``invalid_param`` for a
    ``workspace_id`` that is not the app's.
    """
    app = store.apps.visible(user, app_id)
    if workspace_id is not None and workspace_id != app.workspace_id:
        raise Refusal(
            "invalid_param",
            "workspace_id does not match the app's workspace.",
            details=[{"type": "value_error", "loc": ["query", "workspace_id"], "msg": "not the app's workspace"}],
        )
    version = store.apps.version(app_id, None)
    document = version.definition if version else None
    wanted = set(fields or BLOCKS)
    limits = config.current().system_parameters
    answer = {
        "info": _info(app) if "info" in wanted else None,
        "parameters": parameters.parameters(document, limits) if "parameters" in wanted else None,
        "input_schema": input_schema.input_schema(document, limits["workflow_file_upload_limit"])
        if "input_schema" in wanted
        else None,
    }
    etag = f'"{hashlib.sha256(orjson.dumps(answer)).hexdigest()[:32]}"'
    headers = {"ETag": etag, "Cache-Control": "private, no-cache", "Vary": "Authorization, Cookie"}
    if etag in (request.headers.get("if-none-match") or ""):
        return Response(status_code=304, headers=headers)
    return answer, 200, headers


def row(app: App) -> dict[str, Any]:
    """Model ``AppListRow``."""
    return {
        "id": app.id,
        "name": app.name,
        "description": app.description,
        "mode": app.mode,
        "tags": [{"name": tag} for tag in app.tags],
        "updated_at": rfc3339(app.updated_at),
        "created_by_name": app.author_name,
        "workspace_id": app.workspace_id,
        "workspace_name": app.workspace_name,
    }


def _info(app: App) -> dict[str, Any]:
    return {
        "id": app.id,
        "name": app.name,
        "description": app.description,
        "mode": app.mode,
        "author": app.author_name,
        "tags": [{"name": tag} for tag in app.tags],
        "updated_at": rfc3339(app.updated_at),
        "service_api_enabled": app.enable_api,
        "is_agent": app.mode in AGENT_MODES,
    }
