"""The contract as the server reads it: its document, base path, schemas and operations, prepared once at
start-up.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from server.schemas import Schemas

METHODS = ("get", "put", "post", "delete", "patch", "head", "options", "trace")
CAPITAL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
DEFAULT = Path(__file__).resolve().parent.parent / "openapi.yaml"


def snake(name: str) -> str:
    """``listApps`` and ``Last-Event-ID`` as Python names: ``list_apps``, ``last_event_id``."""
    return CAPITAL.sub("_", name.replace("-", "_")).lower()


@dataclass(frozen=True, slots=True)
class OperationObject:
    """One operation: where it is, and its raw object with the parameters of its path folded in."""

    id: str
    method: str
    path: str
    raw: dict[str, Any]
    parameters: list[dict[str, Any]]
    responses: dict[str, dict[str, Any]]

    @property
    def tag(self) -> str:
        """The first tag as a module name."""
        return snake((self.raw.get("tags") or ["default"])[0].replace(" ", "_"))

    @property
    def takes_file(self) -> bool:
        """Whether the body is an upload."""
        return "multipart/form-data" in self.raw.get("requestBody", {}).get("content", {})

    @property
    def is_stream(self) -> bool:
        """Whether a success is a stream of events."""
        return any("text/event-stream" in item.get("content", {}) for item in self.responses.values())


class Blueprint:
    """In: the contract's path, or the document itself. ``base_path`` comes from ``servers[0].url``."""

    def __init__(self, source: Path | str | dict[str, Any] = DEFAULT) -> None:
        self.raw = source if isinstance(source, dict) else load(Path(source))
        self.source = None if isinstance(source, dict) else Path(source)
        self.schemas = Schemas(self.raw)
        servers = self.raw.get("servers") or [{"url": "/"}]
        self.base_path = urlsplit(servers[0]["url"]).path.rstrip("/")
        self.operations = {operation.id: operation for operation in self._operations()}

    def _operations(self) -> list[OperationObject]:
        deref = self.schemas.deref
        found = []
        for path, item in self.raw["paths"].items():
            shared = [deref(parameter) for parameter in item.get("parameters", [])]
            for method in METHODS:
                if method not in item:
                    continue
                raw = item[method]
                own = [deref(parameter) for parameter in raw.get("parameters", [])]
                taken = {(parameter["in"], parameter["name"]) for parameter in own}
                inherited = [parameter for parameter in shared if (parameter["in"], parameter["name"]) not in taken]
                responses = {str(status): deref(answer) for status, answer in raw["responses"].items()}
                found.append(OperationObject(raw["operationId"], method, path, raw, own + inherited, responses))
        return found

    def upload_paths(self) -> re.Pattern[str]:
        """Full paths of the operations that take a multipart body."""
        paths = [
            re.sub(r"\{[^}]+\}", "[^/]+", self.base_path + operation.path)
            for operation in self.operations.values()
            if operation.takes_file
        ]
        return re.compile("|".join(paths) or r"(?!)")

    def oauth_paths(self) -> frozenset[str]:
        """Full paths of the operations whose errors an OAuth client reads (``x-error-format: oauth``)."""
        return frozenset(
            self.base_path + operation.path
            for operation in self.operations.values()
            if operation.raw.get("x-error-format") == "oauth"
        )

    def security(self, operation: OperationObject) -> list[dict[str, list[str]]]:
        """The operation's security requirements, or the document's where it states none."""
        own: list[dict[str, list[str]]] | None = operation.raw.get("security")
        return self.raw.get("security", []) if own is None else own

    def takes_bearer(self, operation: OperationObject) -> bool:
        """Whether a bearer token opens this operation."""
        schemes = self.raw.get("components", {}).get("securitySchemes", {})
        return any(
            schemes[name].get("scheme", "").lower() == "bearer"
            for requirement in self.security(operation)
            for name in requirement
        )


def load(path: Path) -> dict[str, Any]:
    """A YAML document. The C loader, where there is one, reads the contract ten times faster."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    with path.open("rb") as file:
        document: dict[str, Any] = yaml.load(file, Loader=loader)  # noqa: S506
    return document
