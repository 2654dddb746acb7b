"""The provider ``json_process``: reading JSON and finding parts of it by JSONPath (RFC 9535)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from engine.tools.tool import Parameter, Result, Tool, ToolContext, ToolProblem

_LONGEST = 200_000  # characters
_MOST = {"match(": 0, "search(": 0, "..": 1, "$": 1}
_CONTENT = Parameter("content", required=True, description="JSON text")
_QUERY = Parameter("query", required=True, description="JSONPath, such as $.items[0].name")


def _read(text: str) -> Any:
    if len(text) > _LONGEST:
        raise ToolProblem(f"The JSON text is longer than {_LONGEST} characters")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ToolProblem(f"This is not JSON: {error}") from None


def _nodes(document: Any, path: str) -> list[Any]:
    # Imported by the first query: the server starts without it.
    from jsonpath_rfc9535 import find
    from jsonpath_rfc9535.exceptions import JSONPathError

    path = path.strip()
    path = path if path.startswith("$") else f"$.{path}"
    for part, most in _MOST.items():
        if path.count(part) > most:
            # With more of it, a short path could take longer than anybody waits.
            raise ToolProblem(f"A path here can have '{part}' {('nowhere', 'once')[most]}")
    try:
        return list(find(path, document))
    except (JSONPathError, RecursionError) as error:
        raise ToolProblem(f"'{path[:100]}' is not a JSONPath: {error}") from None


def _result(value: Any) -> Result:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return Result(text, value if isinstance(value, (dict, list)) else None)


def _parse(arguments: Mapping[str, Any], context: ToolContext) -> Result:
    document = _read(arguments["content"])
    path = arguments.get("json_filter", "")
    if not path.strip():
        return _result(document)
    found = [node.value for node in _nodes(document, path)]
    return _result(found[0] if len(found) == 1 else found)


def _changed(document: Any, path: str, change: Any) -> Any:
    for node in reversed(_nodes(document, path)):
        if not node.location:
            raise ToolProblem("The whole document cannot be changed; the path must lead into it")
        parent = document
        for step in node.location[:-1]:
            parent = parent[step]
        change(parent, node.location[-1])
    return document


def _replace(arguments: Mapping[str, Any], context: ToolContext) -> Result:
    new = arguments["replace_value"]
    try:
        value = json.loads(new)
    except ValueError:
        value = new

    def change(parent: Any, key: Any) -> None:
        parent[key] = value

    return _result(_changed(_read(arguments["content"]), arguments["query"], change))


def _delete(arguments: Mapping[str, Any], context: ToolContext) -> Result:
    def change(parent: Any, key: Any) -> None:
        del parent[key]

    return _result(_changed(_read(arguments["content"]), arguments["query"], change))


TOOLS = (
    Tool(
        "json_process", "parse", "Read JSON", "Reads JSON, or the parts of it that a path leads to.",
        (_CONTENT, Parameter("json_filter", description="JSONPath; empty for the whole")), _parse,
    ),
    Tool(
        "json_process", "json_replace", "Replace in JSON", "Puts a value in the place of others.",
        (_CONTENT, _QUERY, Parameter("replace_value", required=True, description="JSON, or text")), _replace,
    ),
    Tool("json_process", "json_delete", "Delete from JSON", "Takes values out.", (_CONTENT, _QUERY), _delete),
)  # fmt: skip
