"""Reading an app definition (Dify DSL): from text to a document the engine can run.

The document is plain JSON and the same for every age of export, so nothing behind this module knows of
quirks:

* workflow and advanced-chat: ``{mode, graph: {nodes, edges}, features, environment_variables,
  conversation_variables}``
* chat, agent-chat and completion: ``{mode, model_config}``

A node of an unknown type is kept: it fails when a run reaches it, and a branch never taken does no harm.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from engine.definition.body import model_config, workflow
from engine.definition.error import LONGEST_MESSAGE, DefinitionError, Problem, dotted, shortened
from engine.definition.yaml_guard import line_of, read
from engine.inputs.variables import MODES, WORKFLOW_MODES

__all__ = ["CURRENT_VERSION", "Definition", "DefinitionError", "load"]

CURRENT_VERSION = "0.6.0"
NAME_LENGTH, DESCRIPTION_LENGTH = 255, 100_000  # characters, as in the contract
MOST_WARNINGS = 200

_VERSION = re.compile(r"(\d{1,6})\.(\d{1,6})(?:\.(\d{1,6}))?(?:[-+].*)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Definition:
    """An importable app. ``warnings`` are sentences for its owner; ``tags`` is empty, the format has none."""

    name: str
    mode: str
    description: str
    icon: str
    icon_type: str
    icon_background: str
    use_icon_as_answer_icon: bool
    version: str
    document: dict[str, Any]
    tags: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def load(source: str | bytes) -> Definition:
    """Read one definition from YAML or JSON text.

    Raises DefinitionError, with the key and, where it can be told, the line, when the app cannot be imported.
    """
    value, root = read(source)
    try:
        return _definition(value)
    except Problem as problem:
        raise DefinitionError(problem.message, dotted(problem.path), line_of(root, problem.path)) from problem


def _definition(value: Any) -> Definition:
    if not isinstance(value, dict):
        raise Problem("Invalid YAML format: content must be a mapping")
    warnings: list[str] = []
    version = _version(value, warnings)
    if value.get("kind") != "app":
        warnings.append(
            f"The kind was {value['kind']!r}; read as 'app'."
            if "kind" in value
            else "No kind was given; read as 'app'."
        )
    app = value.get("app")
    if not isinstance(app, dict) or not app:
        raise Problem("Missing app data in YAML content", "app")
    mode = app.get("mode")
    if mode in (None, ""):
        raise Problem("loss app mode", "app", "mode")
    if not isinstance(mode, str) or mode not in MODES:
        raise Problem(f"'{str(mode)[:40]}' is not a valid AppMode", "app", "mode")
    document = workflow(value, mode, warnings) if mode in WORKFLOW_MODES else model_config(value, mode, warnings)
    icon_type = app.get("icon_type")
    return Definition(
        name=_name(app, warnings),
        mode=document["mode"],
        description=_text(app, "description", "")[:DESCRIPTION_LENGTH],
        icon=_text(app, "icon", ""),
        icon_type=icon_type if icon_type in ("emoji", "image", "link") else "emoji",
        icon_background=_text(app, "icon_background", "#FFFFFF") or "#FFFFFF",
        use_icon_as_answer_icon=app.get("use_icon_as_answer_icon") is True,
        version=version,
        document=document,
        warnings=_told(warnings),
    )


def _told(warnings: list[str]) -> list[str]:
    """The warnings as people can read them: what they quote is a stranger's, and may be long or many."""
    told = [shortened(one, LONGEST_MESSAGE) for one in warnings[:MOST_WARNINGS]]
    rest = len(warnings) - len(told)
    return [*told, f"There are {rest} more warnings like these."] if rest else told


def _version(value: dict[str, Any], warnings: list[str]) -> str:
    if "version" not in value:
        warnings.append("No version was given; read as 0.1.0.")
        return "0.1.0"
    version = value["version"]
    if not isinstance(version, str):
        raise Problem(f'The version must be text in quotes, such as "{CURRENT_VERSION}"', "version")
    parts = _parts(version)
    if parts is None:
        raise Problem(f"'{version[:40]}' is not a version such as {CURRENT_VERSION}", "version")
    current = _parts(CURRENT_VERSION) or ()
    if parts > current:
        warnings.append(f"Version {version} is newer than {CURRENT_VERSION}; what it added is not understood.")
    elif parts[:2] < current[:2]:
        warnings.append(f"Version {version} is older than {CURRENT_VERSION}; it was read as the current one.")
    return version


def _parts(version: str) -> tuple[int, ...] | None:
    match = _VERSION.fullmatch(version)
    return tuple(int(part or 0) for part in match.groups()) if match else None


def _name(app: dict[str, Any], warnings: list[str]) -> str:
    name = app.get("name")
    if name is None or name == "":
        warnings.append("The app had no name; it is called 'Untitled'.")
        return "Untitled"
    name = name if isinstance(name, str) else str(name)
    if len(name) > NAME_LENGTH:
        raise Problem(f"The name is longer than {NAME_LENGTH} characters", "app", "name")
    return name


def _text(app: dict[str, Any], key: str, default: str) -> str:
    value = app.get(key)
    return value if isinstance(value, str) else default
