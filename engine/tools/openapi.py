"""Reading an OpenAPI 3 document into operations that can be tools: plain values, with every reference resolved."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urljoin, urlsplit

from engine.definition.error import DefinitionError
from engine.definition.yaml_guard import read
from engine.tools.openapi_body import body_of
from engine.tools.openapi_schema import parameter, resolved

METHODS = ("get", "post", "put", "patch", "delete", "head")
MAX_OPERATIONS = 200
_PLACES = ("path", "query", "header", "cookie")
# What the client sends itself: a tool that set these could talk past it.
_OWN_HEADERS = frozenset({
    "accept", "accept-encoding", "authorization", "connection", "content-length", "content-type", "cookie", "expect",
    "host", "keep-alive", "proxy-authorization", "te", "trailer", "transfer-encoding", "upgrade",
})  # fmt: skip
_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9_-]+")


def load(source: str | bytes, server: str = "") -> tuple[dict[str, Any], list[str]]:
    """Return the definition ``{title, server, auth, operations}`` and sentences about what was left out.

    ``server`` replaces the document's own. Raises DefinitionError when nothing could be called.
    """
    value, _ = read(source)
    if not isinstance(value, dict):
        raise DefinitionError("An OpenAPI document must be a mapping")
    version = str(value.get("openapi") or "")
    if not version.startswith("3."):
        given = f"Swagger {value['swagger']}" if "swagger" in value else "a document without 'openapi: 3…'"
        raise DefinitionError(f"Only OpenAPI 3.0 to 3.2 can be imported; this is {given}", "openapi")
    warnings: list[str] = []
    operations = list(_operations(value, warnings))
    if not operations:
        raise DefinitionError("The document has no operation that could be called", "paths")
    if len(operations) > MAX_OPERATIONS:
        raise DefinitionError(f"The document has more than {MAX_OPERATIONS} operations", "paths")
    definition = {
        "title": str((value.get("info") or {}).get("title") or ""),
        "server": _server(value, server),
        "auth": _auth(value),
        "operations": operations,
    }
    return definition, warnings


def _operations(document: dict[str, Any], warnings: list[str]) -> Iterator[dict[str, Any]]:
    names: set[str] = set()
    paths = document.get("paths")
    for path, item in paths.items() if isinstance(paths, dict) else ():
        item = resolved(document, item)
        if not isinstance(item, dict) or not path.startswith("/"):
            continue
        for method in METHODS:
            operation = resolved(document, item.get(method))
            if not isinstance(operation, dict):
                continue
            name = _name(str(operation.get("operationId") or f"{method}{path}"), names)
            try:
                taken = _parameters(document, item, operation, f"{method.upper()} {path}", warnings)
                body = body_of(document, operation, {one["name"] for one in taken})
            except ValueError as problem:
                warnings.append(f"{method.upper()} {path} was left out: {problem}.")
                continue
            names.add(name)
            told = operation.get("summary") or operation.get("description") or name
            yield {
                "name": name,
                "label": str(operation.get("summary") or name)[:200],
                "description": str(operation.get("description") or told)[:2000],
                "method": method.upper(),
                "path": path,
                "parameters": taken,
                "body": body,
            }


def _parameters(
    document: dict[str, Any], item: Mapping[str, Any], operation: Mapping[str, Any], where: str, warnings: list[str]
) -> list[dict[str, Any]]:
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for source in (item, operation):
        for raw in source.get("parameters") or []:
            one = resolved(document, raw)
            if not isinstance(one, dict) or not isinstance(one.get("name"), str) or one.get("in") not in _PLACES:
                raise ValueError("a parameter has no name or no known place")
            if one["in"] == "header" and one["name"].lower() in _OWN_HEADERS:
                warnings.append(f"{where}: the header '{one['name']}' cannot be set by a tool; it was left out.")
                continue
            found[one["in"], one["name"]] = one
    made, names = [], set()
    for (place, name), one in found.items():
        if name in names:
            raise ValueError(f"two parameters have the name '{name}'")
        names.add(name)
        schema = one.get("schema")
        if schema is None:
            content = one.get("content")
            media: Any = next(iter(content.values()), {}) if isinstance(content, dict) else {}
            schema = media.get("schema") if isinstance(media, dict) else {}
        required = place == "path" or one.get("required") is True
        explode = one.get("explode")
        joined = explode is False or (explode is None and place in ("path", "header"))
        made.append(
            {**parameter(document, name, schema, one.get("description"), required), "in": place, "joined": joined}
        )
    placeholders = set(re.findall(r"\{([^{}]+)\}", where))
    missing = placeholders - {one["name"] for one in made if one["in"] == "path"}
    if missing:
        raise ValueError(f"the path's parameter '{sorted(missing)[0]}' is not declared")
    return made


def clean_name(wanted: str) -> str:
    """Return a tool's name as models accept it."""
    return _NOT_IN_NAMES.sub("_", wanted).strip("_")[:60] or "operation"


def _name(wanted: str, taken: set[str]) -> str:
    name = candidate = clean_name(wanted)
    number = 2
    while candidate in taken:
        candidate, number = f"{name}_{number}", number + 1
    return candidate


def _server(document: Mapping[str, Any], given: str) -> str:
    servers = document.get("servers")
    first = servers[0] if isinstance(servers, list) and servers and isinstance(servers[0], dict) else {}
    url = str(first.get("url") or "")
    variables = first.get("variables")
    for name, one in variables.items() if isinstance(variables, dict) else ():
        url = url.replace(f"{{{name}}}", str(one.get("default") or "") if isinstance(one, dict) else "")
    url = urljoin(given, url) if given and url.startswith("/") and urlsplit(given).path in ("", "/") else given or url
    parts = urlsplit(url)
    if given and (parts.scheme not in ("http", "https") or not parts.hostname):
        raise DefinitionError(f"The server's address must begin with http:// or https:// and name a host: '{given}'")
    if parts.scheme not in ("http", "https") or not parts.hostname or "{" in url:
        raise DefinitionError("The document names no address of its server; give one with --server URL", "servers")
    if parts.query or parts.fragment or parts.username:
        raise DefinitionError("The server's address must be a plain URL, without user, query or fragment", "servers")
    return url.rstrip("/")


def _auth(document: dict[str, Any]) -> dict[str, str]:
    """How the API wants to be called: ``{kind}`` and the ``name`` of a header or query parameter."""
    schemes = (document.get("components") or {}).get("securitySchemes")
    known = schemes if isinstance(schemes, dict) else {}
    wanted = [name for name in _required(document) if name in known]
    for name in [*wanted, *known]:
        one = resolved(document, known[name])
        if not isinstance(one, dict):
            continue
        if one.get("type") == "apiKey" and one.get("in") in ("header", "query") and one.get("name"):
            return {"kind": str(one["in"]), "name": str(one["name"])}
        if one.get("type") == "http" and str(one.get("scheme")).lower() in ("bearer", "basic"):
            return {"kind": str(one["scheme"]).lower(), "name": ""}
        if one.get("type") in ("oauth2", "openIdConnect"):
            return {"kind": "bearer", "name": ""}
    return {"kind": "none", "name": ""}


def _required(document: Mapping[str, Any]) -> Iterator[str]:
    """The schemes that the document asks for, of all operations first."""
    paths = document.get("paths")
    items = [item for item in (paths.values() if isinstance(paths, dict) else ()) if isinstance(item, dict)]
    operations = [item[method] for item in items for method in METHODS if isinstance(item.get(method), dict)]
    for one in [document, *operations]:
        asked = one.get("security")
        for requirement in asked if isinstance(asked, list) else ():
            yield from map(str, requirement) if isinstance(requirement, dict) else ()
