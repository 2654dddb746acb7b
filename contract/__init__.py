"""The contract: where it stands, how it is read, and questions that others ask of it.

``openapi.yaml`` at the root of the project is the source. This package imports nothing of ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
CONTRACT = ROOT / "openapi.yaml"
VIEW_31 = ROOT / "contract" / "openapi-3.1.yaml"
VIEW_32 = ROOT / "contract" / "openapi-3.2.yaml"
METHODS = ("get", "put", "post", "delete", "patch", "options", "head", "trace")

Document = dict[str, Any]
Operation = dict[str, Any]


@cache
def load(path: Path = CONTRACT) -> Document:
    """Read a document as plain dicts, references unresolved. One shared copy: do not change it.

    In: the contract or one of its views. Errors: ``OSError``, ``yaml.YAMLError``.
    """
    loaded: Document = yaml.load(path.read_text(encoding="utf-8"), Loader=_loader())  # noqa: S506 (a safe one)
    return loaded


def operations(document: Document | None = None) -> Iterator[tuple[str, str, Operation]]:
    """Every operation as (path, method in lower case, operation), in the order of the document."""
    for path, item in (document or load())["paths"].items():
        for method in METHODS:
            if method in item:
                yield path, method, item[method]


def resolve(document: Document, node: Any) -> Any:
    """Follow ``$ref`` until there is none. In: a node of ``document``. Errors: ``KeyError`` if it dangles."""
    while isinstance(node, dict) and isinstance(node.get("$ref"), str):
        target: Any = document
        for step in node["$ref"].removeprefix("#/").split("/"):
            target = target[step.replace("~1", "/").replace("~0", "~")]
        node = target
    return node


def error_codes(document: Document, operation: Operation) -> dict[int, set[str]]:
    """The codes that an operation may answer, by status: the names of the examples of its error responses."""
    return _codes(document, operation["responses"])


def transport_codes(document: Document) -> dict[int, set[str]]:
    """The codes that may be answered before a request belongs to an operation, by status."""
    return _codes(document, document["x-transport-responses"])


def _codes(document: Document, responses: dict[str, Any]) -> dict[int, set[str]]:
    found: dict[int, set[str]] = {}
    for status, reference in responses.items():
        if int(status) >= 400:
            response = resolve(document, reference)
            media_types = response["content"].values()
            found[int(status)] = {name for media in media_types for name in media["examples"]}
    return found


def _loader() -> type[Any]:
    # libyaml reads the contract twenty times faster; it is missing only in builds without the C extension.
    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)
