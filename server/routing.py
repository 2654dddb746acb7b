"""Stop "route": a path and a method to the contract's operation.

Literal paths are one dictionary look-up; templated ones walk a tree, segment by segment, literals first. The
middleware stands where connexion's own routing stands and leaves the same note (``ROUTING_CONTEXT``) for the
stops behind it.
"""

from __future__ import annotations

from typing import Any, NamedTuple
from urllib.parse import unquote

from connexion.middleware.abstract import ROUTING_CONTEXT, AbstractSpecAPI, SpecMiddleware
from connexion.resolver import Resolver
from connexion.spec import Specification
from starlette.types import ASGIApp, Receive, Scope, Send

from store.refusal import Refusal

METHODS = ("get", "put", "post", "delete", "patch", "head", "options", "trace")


class Target(NamedTuple):
    """An operation and the names of the path's variables, in order."""

    note: dict[str, str]
    names: tuple[str, ...]


class Node:
    """One segment of the templated paths."""

    __slots__ = ("children", "targets", "variable")

    def __init__(self) -> None:
        self.children: dict[str, Node] = {}
        self.variable: Node | None = None
        self.targets: dict[str, Target] | None = None


class Router:
    """The table of paths. ``find`` answers what stands at a path; it raises nothing."""

    def __init__(self) -> None:
        self.literal: dict[str, dict[str, Target]] = {}
        self.tree = Node()

    def add(self, path: str, method: str, note: dict[str, str]) -> None:
        """Enter an operation under its full path template."""
        segments = path.split("/")[1:]
        names = tuple(part[1:-1] for part in segments if part.startswith("{"))
        if not names:
            self.literal.setdefault(path, {})[method] = Target(note, ())
            return
        node = self.tree
        for part in segments:
            if part.startswith("{"):
                node.variable = node = node.variable or Node()
            else:
                node = node.children.setdefault(part, Node())
        node.targets = node.targets or {}
        node.targets[method] = Target(note, names)

    def find(self, path: str) -> tuple[dict[str, Target], list[str]] | None:
        """The methods at this path and the values of its variables, or None where nothing stands."""
        literal = self.literal.get(path)
        if literal is not None:
            return literal, []
        values: list[str] = []
        targets = self._walk(self.tree, path.split("/")[1:], 0, values)
        return None if targets is None else (targets, values)

    def _walk(self, node: Node, parts: list[str], at: int, values: list[str]) -> dict[str, Target] | None:
        if at == len(parts):
            return node.targets
        part = parts[at]
        child = node.children.get(part)
        if child is not None:
            found = self._walk(child, parts, at + 1, values)
            if found is not None:
                return found
        if node.variable is not None and part:
            values.append(part)
            found = self._walk(node.variable, parts, at + 1, values)
            if found is not None:
                return found
            values.pop()
        return None


class Routing(SpecMiddleware):
    """ASGI layer. Refuses ``not_found``, and ``method_not_allowed`` with every method of the path in
    ``Allow``.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.router = Router()

    def add_api(
        self,
        specification: Specification,
        base_path: str | None = None,
        resolver: Resolver | None = None,
        **kwargs: Any,
    ) -> None:
        """Called by connexion at start-up: enters every operation of the contract."""
        api = AbstractSpecAPI(specification, base_path=base_path, resolver=resolver)
        for path, item in specification["paths"].items():
            for method in METHODS:
                if method in item:
                    operation = specification.operation_cls.from_spec(
                        specification, path=path, method=method, resolver=api.resolver
                    )
                    note = {"api_base_path": api.base_path, "operation_id": operation.operation_id}
                    self.router.add(api.base_path + path, method.upper(), note)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        raw = scope.get("raw_path")
        encoded = raw is not None and b"%" in raw
        # Split before decoding: an encoded slash is part of a value, not the end of a segment.
        path = raw.decode("latin-1") if encoded and raw is not None else scope["path"]
        found = self.router.find(path)
        if found is None:
            raise Refusal("not_found", "There is nothing at this path.")
        targets, values = found
        method = scope["method"]
        target = targets.get(method) or (targets.get("GET") if method == "HEAD" else None)
        if target is None:
            allow = ", ".join(sorted({*targets, "OPTIONS", *(("HEAD",) if "GET" in targets else ())}))
            if method == "OPTIONS":
                lines = [(b"allow", allow.encode())]
                await send({"type": "http.response.start", "status": 204, "headers": lines})
                await send({"type": "http.response.body", "body": b""})
                return
            raise Refusal("method_not_allowed", f"This path knows {allow}.", headers={"Allow": allow})
        if values:
            if encoded:
                values = [unquote(value, errors="replace") for value in values]
            scope["path_params"] = dict(zip(target.names, values, strict=True))
        scope.setdefault("extensions", {})[ROUTING_CONTEXT] = target.note
        await self.app(scope, receive, send)
