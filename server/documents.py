"""The contract, served: as YAML and JSON, in its 3.1 and 3.2 views, with an index and a page to read it in.

Each document is read once, at start-up, and has a strong ``ETag`` (RFC 9110 §8.8.3).
"""

from __future__ import annotations

import hashlib
import html
from pathlib import Path
from typing import Any

import orjson
from starlette.types import ASGIApp, Receive, Scope, Send

from server.blueprint import Blueprint, load

STATIC = Path(__file__).resolve().parent / "static"
UI = "redoc-2.5.4.js"
# The one thing that the script would load from elsewhere; an empty picture in its place is no request at all.
LOGO = b"https://cdn.redoc.ly/redoc/logo-mini.svg"
NO_LOGO = b"data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw=="
VIEWS = ("3.1", "3.2")
REVALIDATE = b"public, no-cache"
FOREVER = b"public, max-age=31536000, immutable"  # the file's name holds its version
# The page's script draws with inline styles and blob workers; nothing comes from any other host.
PAGE_POLICY = (
    b"default-src 'none'; script-src 'self'; worker-src blob:; style-src 'self' 'unsafe-inline'; "
    b"img-src 'self' data:; font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    b"frame-ancestors 'none'"
)
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="data:,">
</head>
<body style="margin:0">
<redoc spec-url="{base}/openapi.json"></redoc>
<script src="{base}/docs/{ui}"></script>
</body>
</html>
"""


class Document:
    """An ASGI app that answers one fixed document, and ``304`` to whoever has it already."""

    def __init__(
        self,
        body: bytes,
        media: str,
        cache: bytes = REVALIDATE,
        extra: list[tuple[bytes, bytes]] | None = None,
    ) -> None:
        self.body = body
        self.etag = b'"%s"' % hashlib.sha256(body).hexdigest()[:32].encode()
        self.kept = [(b"etag", self.etag), (b"cache-control", cache), *(extra or [])]
        self.lines = [(b"content-type", media.encode()), (b"content-length", b"%d" % len(body)), *self.kept]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._is_known(scope):
            await send({"type": "http.response.start", "status": 304, "headers": list(self.kept)})
            await send({"type": "http.response.body", "body": b""})
            return
        await send({"type": "http.response.start", "status": 200, "headers": list(self.lines)})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else self.body})

    def _is_known(self, scope: Scope) -> bool:
        """``If-None-Match`` compares weakly (RFC 9110 §13.1.2): a proxy may have weakened the tag."""
        for name, value in scope["headers"]:
            if name == b"if-none-match":
                tags = [tag.strip().removeprefix(b"W/") for tag in value.split(b",")]
                return self.etag in tags or tags == [b"*"]
        return False


class Later:
    """A JSON document made from a YAML file when it is first asked for: reading three at start-up is felt."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.made: Document | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.made is None:
            self.made = _json(load(self.file))
        await self.made(scope, receive, send)


def documents(blueprint: Blueprint, api_level: str) -> dict[str, ASGIApp]:
    """Everything that is served beside the operations, by full path."""
    base = blueprint.base_path
    title = blueprint.raw["info"]["title"]
    found: dict[str, ASGIApp] = {f"{base}/openapi.json": _json(blueprint.raw)}
    if blueprint.source is not None:
        found[f"{base}/openapi.yaml"] = Document(blueprint.source.read_bytes(), "application/yaml")
        for view in VIEWS:
            file = blueprint.source.parent / "contract" / f"openapi-{view}.yaml"
            if file.exists():
                found[f"{base}/openapi-{view}.yaml"] = Document(file.read_bytes(), "application/yaml")
                found[f"{base}/openapi-{view}.json"] = Later(file)
    page = PAGE.format(title=html.escape(title), base=html.escape(base), ui=UI)
    policy = [(b"content-security-policy", PAGE_POLICY)]
    found[f"{base}/docs"] = Document(page.encode(), "text/html; charset=utf-8", extra=policy)
    script = (STATIC / UI).read_bytes().replace(LOGO, NO_LOGO)
    found[f"{base}/docs/{UI}"] = Document(script, "text/javascript; charset=utf-8", FOREVER)
    links = sorted(path for path in found if path.endswith((".json", ".yaml")))
    index = {"name": title, "version": api_level, "docs": f"{base}/docs", "documents": links}
    found[base] = found[f"{base}/"] = _json(index)
    return found


def _json(value: Any) -> Document:
    return Document(orjson.dumps(value, default=str), "application/json")
