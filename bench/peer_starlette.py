"""Raw Starlette doing the same work: hand-written checks, raw sqlite3 on the event loop."""

from __future__ import annotations

import sys
from typing import Any

import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from bench import queries


def answer(value: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(value), status, media_type="application/json")


REFUSED = {"code": "unauthorized", "message": "no", "status": 401}


async def health(request: Request) -> Response:
    return answer({"ok": True})


async def account(request: Request) -> Response:
    who = queries.caller(request.headers.get("authorization"))
    return answer(queries.account(who)) if who else answer(REFUSED, 401)


async def apps(request: Request) -> Response:
    who = queries.caller(request.headers.get("authorization"))
    if who is None:
        return answer(REFUSED, 401)
    query = request.query_params
    try:
        page, limit = int(query.get("page", "1")), int(query.get("limit", "20"))
    except ValueError:
        return answer({"code": "invalid_param", "message": "page or limit", "status": 422}, 422)
    if not queries.member(who, query["workspace_id"]):
        return answer({"code": "not_found", "message": "no", "status": 404}, 404)
    return answer(queries.apps(query["workspace_id"], page, limit))


async def describe(request: Request) -> Response:
    who = queries.caller(request.headers.get("authorization"))
    if who is None:
        return answer(REFUSED, 401)
    found = queries.describe(who, request.path_params["app_id"])
    return answer(found) if found else answer({"code": "not_found", "message": "no", "status": 404}, 404)


async def device_code(request: Request) -> Response:
    body = orjson.loads(await request.body())
    if not isinstance(body.get("client_id"), str) or not isinstance(body.get("device_label"), str):
        return answer({"error": "invalid_request"}, 400)
    return answer(queries.device_code(body["client_id"], body["device_label"]))


app = Starlette(
    routes=[
        Mount(
            "/openapi/v1",
            routes=[
                Route("/_health", health),
                Route("/account", account),
                Route("/apps", apps),
                Route("/apps/{app_id}/describe", describe),
                Route("/oauth/device/code", device_code, methods=["POST"]),
            ],
        )
    ]
)

if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[1]), log_level="error", access_log=False)
