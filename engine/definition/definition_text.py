"""Changing values in the text of a definition and leaving the rest as its author wrote it, remarks and all."""

from __future__ import annotations

import json
from typing import Any

import yaml
from yaml import MappingNode, Node, ScalarNode, SequenceNode

from engine.definition.error import Path

Places = dict[Path, str]


def written_with(source: str, value: Any, root: Node | None, places: Places, *, as_yaml: bool = False) -> str:
    """Return the text with other texts at some places.

    In: what `engine.definition.yaml_guard.read` made of the text: its value and, of YAML, its nodes. A place that the
    text has only by way of a merge or an alias may be left as it is.
    """
    if as_yaml:
        return yaml.safe_dump(value, allow_unicode=True, sort_keys=False, width=120)
    if not places:
        return source
    if root is None:
        for path, text in places.items():
            owner = value
            for name in path[:-1]:
                owner = owner[name]
            owner[path[-1]] = text
        return json.dumps(value, ensure_ascii=False, indent=2)
    spots = {}
    for path, text in places.items():
        node = _node(root, path)
        if isinstance(node, ScalarNode):
            spots[node.start_mark.index, node.end_mark.index] = text
    for (start, end), text in sorted(spots.items(), reverse=True):
        # A block's end is the start of what follows it, on another line.
        rest, block = source[end:], "\n" if source[start:end].endswith("\n") else ""
        source = source[:start] + (json.dumps(text) if text else "''") + block + rest
    return source


def _node(node: Node | None, path: Path) -> Node | None:
    for name in path:
        if isinstance(node, MappingNode):
            pairs = node.value
            node = next((one for key, one in pairs if isinstance(key, ScalarNode) and key.value == name), None)
        elif isinstance(node, SequenceNode) and isinstance(name, int) and name < len(node.value):
            node = node.value[name]
        else:
            return None
    return node
