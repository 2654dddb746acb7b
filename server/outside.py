"""Stop "outside": what is served but is no operation of the contract — its documents, and the pages for
people.
"""

from __future__ import annotations

from collections.abc import Mapping

from starlette.types import ASGIApp, Receive, Scope, Send

from store.refusal import REFUSED, Refusal

READ = "GET, HEAD, OPTIONS"


class Outside:
    """ASGI layer. In: documents by exact path, the contract's base path, and the app of all other paths."""

    def __init__(
        self, app: ASGIApp, documents: Mapping[str, ASGIApp], base_path: str, pages: ASGIApp | None = None
    ) -> None:
        self.app, self.documents, self.pages = app, documents, pages
        self.inside = f"{base_path}/"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path: str = scope["path"]
        is_page = self.pages is not None and path not in self.documents and not path.startswith(self.inside)
        if REFUSED in scope and not is_page:
            # The pages tell it in their own way.
            raise scope[REFUSED]
        document = self.documents.get(path)
        if document is not None:
            await self._read(document, scope, receive, send)
        elif path.startswith(self.inside) or self.pages is None:
            await self.app(scope, receive, send)
        else:
            await self.pages(scope, receive, send)

    @staticmethod
    async def _read(document: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        method = scope["method"]
        if method == "OPTIONS":
            lines = [(b"allow", READ.encode())]
            await send({"type": "http.response.start", "status": 204, "headers": lines})
            await send({"type": "http.response.body", "body": b""})
        elif method not in ("GET", "HEAD"):
            raise Refusal("method_not_allowed", f"This path knows {READ}.", headers={"Allow": READ})
        else:
            await document(scope, receive, send)
