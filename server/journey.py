"""The journey of a request, as data: the app is built from this list, ``difyspec journey`` prints it.

Two kinds of stops: a *layer* makes an ASGI middleware around all that follows; a *step* makes its part of one
compiled operation, once for each operation of the contract.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from connexion.middleware.security import SecurityMiddleware

from engine.forms import answering
from server.blueprint import OperationObject
from server.body_gate import BodyGate, Passage
from server.body_room import BodyRoom
from server.body_spool import Spool
from server.errors import Errors
from server.headers import Headers
from server.json_body import JsonBounds
from server.limit import Limit
from server.may import May, demand_of
from server.multipart import Multipart, file_part
from server.operation import Do, ShapeIn
from server.outside import Outside
from server.parts import Parts
from server.request_id import RequestId
from server.routing import Routing
from server.shape_out import ShapeOut
from server.streams import Streams

FORM = re.compile(r"/form/([^/]{1,255})")
UPLOAD_FRAME = 64 * 1024  # bytes of an upload that are not its file: boundaries and headers
Layer = Callable[[Parts], Any]
Step = Callable[[Parts, OperationObject], Any]


@dataclass(frozen=True, slots=True)
class Stop:
    """One stop. ``make`` builds it: from the parts of the app, and for a step also from the operation."""

    name: str
    make: Layer | Step
    does: str
    refuses: str = ""
    is_step: bool = False


def _body_gate(parts: Parts) -> Any:
    settings = parts.settings
    most = settings.file_limits.most_bytes + UPLOAD_FRAME
    passage = Passage(parts.blueprint.upload_paths(), most, settings.upload_timeout_seconds)
    trusted = settings.trusted_proxies
    disk = BodyRoom(settings.max_spooled_mb * 1024**2, trusted)
    spool = Spool(FORM, answering.room, settings.upload_timeout_seconds, parts.threads, disk)
    return partial(
        BodyGate,
        limit=settings.max_body_bytes,
        seconds=settings.body_timeout_seconds,
        passage=passage,
        spool=spool,
        room=BodyRoom(settings.max_bodies_mb * 1024**2, trusted),
    )


def _request_id(parts: Parts) -> Any:
    return partial(RequestId, access=parts.settings.access_log, quiet=[f"{parts.blueprint.base_path}/_health"])


def _headers(parts: Parts) -> Any:
    return partial(Headers, version=parts.api_level, origins=parts.settings.cors_allow_origins)


def _errors(parts: Parts) -> Any:
    return partial(Errors, oauth_paths=parts.blueprint.oauth_paths())


def _outside(parts: Parts) -> Any:
    return partial(Outside, documents=parts.documents, base_path=parts.blueprint.base_path, pages=parts.pages)


def _route(_parts: Parts) -> Any:
    return Routing


def _limit(parts: Parts) -> Any:
    return partial(
        Limit,
        rules=parts.rules("address", "network"),
        counters=parts.counters,
        trusted=parts.settings.trusted_proxies,
    )


def _who(_parts: Parts) -> Any:
    return SecurityMiddleware


def _share(parts: Parts) -> Any:
    return partial(Limit, rules=parts.rules("token", "account"), counters=parts.counters)


def _may(parts: Parts) -> Any:
    found = {name: demand_of(operation, parts.blueprint) for name, operation in parts.blueprint.operations.items()}
    return partial(May, demands={name: demand for name, demand in found.items() if demand is not None})


def _streams(parts: Parts) -> Any:
    streaming = [name for name, operation in parts.blueprint.operations.items() if "x-stream" in operation.raw]
    settings = parts.settings
    return partial(
        Streams, operations=streaming, per_subject=settings.max_streams_per_subject, most=settings.max_streams
    )


def _shape_in(parts: Parts, operation: OperationObject) -> ShapeIn:
    upload = None
    if operation.takes_file:
        upload = Multipart(file_part(parts.upload_schema(operation)), parts.uploads, parts.threads)
    bounds = JsonBounds(parts.settings.max_body_members, parts.settings.max_body_depth)
    return ShapeIn(operation, parts.blueprint, upload, bounds)


def _do(parts: Parts, operation: OperationObject) -> Do:
    offered = parts.offered(operation)
    return Do(parts.claims.found[operation.id], offered, parts.threads, operation.raw.get("x-audit"))


def _shape_out(parts: Parts, operation: OperationObject) -> ShapeOut:
    return ShapeOut(operation, parts.blueprint)


JOURNEY: tuple[Stop, ...] = (
    Stop("body gate", _body_gate, "bounds and buffers the body, fixes its length; uploads pass, counted", "413"),
    Stop("request id", _request_id, "takes or makes X-Request-Id, binds it to the logs"),
    Stop("headers", _headers, "puts safety headers, X-Version and CORS on every answer; answers preflights"),
    Stop("errors", _errors, "one renderer for every way an error is born"),
    Stop("outside", _outside, "serves the documents, and the pages for people", "405"),
    Stop("route", _route, "contract to operation", "404, 405 with a complete Allow"),
    Stop(
        "limit",
        _limit,
        "the operation's rate limits by address",
        "429 with Retry-After and RateLimit-*",
    ),
    Stop(
        "who",
        _who,
        "bearer or page cookie to Caller",
        "401 with WWW-Authenticate, 403 csrf_failed, 429 for many dead tokens",
    ),
    Stop("share", _share, "the operation's rate limits by token and account", "429 with Retry-After and RateLimit-*"),
    Stop("may", _may, "the operation's scope and kinds of token", "403"),
    Stop("streams", _streams, "a place for an open stream, by subject and in all", "429 and 503 with Retry-After"),
    Stop(
        "shape in",
        _shape_in,
        "parameters and body against the contract",
        "422 with details, 400, 404, 415",
        True,
    ),
    Stop("do", _do, "the handler; its success goes to the audit trail", "its own refusals", True),
    Stop(
        "shape out",
        _shape_out,
        "the response against the contract, always",
        "500, logged with the difference",
        True,
    ),
)


def layers(parts: Parts) -> list[Any]:
    """The middlewares of the journey, outermost first, as connexion takes them."""
    return [stop.make(parts) for stop in JOURNEY if not stop.is_step]  # type: ignore[call-arg]


def steps(parts: Parts, operation: OperationObject) -> list[Any]:
    """The steps of one operation, in order."""
    return [stop.make(parts, operation) for stop in JOURNEY if stop.is_step]  # type: ignore[call-arg]
