"""The keys that an author wrote into settings instead of a secret variable: where they stand in a definition.

They are known by the names of what holds them: the authorization of an HTTP node, its headers, parameters and address,
fields of forms, the settings of tools and of moderation. A reference (``{{#env.KEY#}}``) is none, and what stands in a
code node or in a body of free text is not looked for: that is what secret variables are there for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from engine.definition.error import Path

_PLACES: tuple[Path, ...] = (("features",), ("model_config",), ("workflow", "features"))
_NODES: tuple[Path, ...] = (("graph", "nodes"), ("workflow", "graph", "nodes"))
# What is declared, not set: a name there is a variable's.
_DECLARED = frozenset({"json_schema", "outputs", "user_input_form", "variables", "loop_variables"})
_ENDS = (
    "accesskey", "accesstoken", "apikey", "apitoken", "authkey", "authorization", "authtoken", "bearertoken",
    "clientsecret", "credential", "credentials", "passphrase", "passwd", "password", "privatekey", "privatetoken",
    "refreshtoken", "secret", "secretkey", "secrettoken", "sessiontoken", "signingkey", "subscriptionkey",
)  # fmt: skip
_OF_LINES = (*_ENDS, "cookie", "key", "sig", "signature", "token")
_REFERENCE = re.compile(r"\{\{[^{}]{0,400}\}\}")
_SCHEME = re.compile(r"\s*(?:(?:bearer|basic|token|apikey|key|digest)(?:\s+|$))?", re.IGNORECASE)
_IN_QUERY = re.compile(r"([?&])([^=&#?{}]{1,100})=((?:\{\{[^{}]{0,400}\}\}|[^&#])+)")
_BEFORE_HOST = re.compile(r"(?<=://)((?:\{\{[^{}]{0,400}\}\}|[^/?#@\s])+)@")
_SHORTEST = 6  # characters: a shorter one is not hidden in what a run tells, for it would be chance


@dataclass(frozen=True, slots=True)
class Credential:
    """A text that holds keys: its place, what was written, the same without the keys, and the keys alone."""

    path: Path
    written: str
    blank: str
    keys: tuple[str, ...]


def found(value: Any) -> list[Credential]:
    """Return the credentials of a normalised document, or of a definition as it is written."""
    made: list[Credential] = []
    for place in _PLACES:
        made += _within(_at(value, place), place)
    for place in _NODES:
        nodes = _at(value, place)
        for index, node in enumerate(nodes if isinstance(nodes, list) else ()):
            data, at = _at(node, ("data",)), (*place, index, "data")
            if isinstance(data, Mapping):
                if data.get("type") == "http-request":
                    made += _of_request(data, at)
                made += _within(data, at)
    return made


def is_credential(name: Any, ends: tuple[str, ...] = _ENDS) -> bool:
    """Whether what is called so holds a key."""
    plain = re.sub(r"[^a-z0-9]", "", name.lower()) if isinstance(name, str) and len(name) < 100 else ""
    return plain == "token" or plain.endswith(ends)


def _of_request(data: Mapping[str, Any], at: Path) -> Iterator[Credential]:
    for name in ("headers", "params"):
        text = data.get(name)
        if isinstance(text, str) and (one := _lines(text, (*at, name))):
            yield one
    url = data.get("url")
    if isinstance(url, str) and (one := _address(url, (*at, "url"))):
        yield one


def _within(value: Any, at: Path, named: bool = False) -> Iterator[Credential]:
    """The credentials within a value; ``named`` says that what holds it is called like one."""
    if isinstance(value, str):
        if named and (keys := _keys(value)):
            yield Credential(at, value, "", keys)
    elif isinstance(value, Mapping):
        label = value.get("key", value.get("name"))
        for name, one in value.items():
            if name in _DECLARED or (name == "parameters" and isinstance(one, list)):
                continue
            inner = is_credential(name) or (name == "value" and (named or is_credential(label)))
            # Of a mapping that is called like a key, `value` holds it; all of `credentials` does.
            if isinstance(one, Mapping | list) or inner or (named and at[-1] == "credentials"):
                yield from _within(one, (*at, name), inner or (named and at[-1] == "credentials"))
    elif isinstance(value, list):
        for index, one in enumerate(value):
            yield from _within(one, (*at, index), named and isinstance(one, Mapping))


def _lines(text: str, at: Path) -> Credential | None:
    """Lines of ``Name: value``."""
    blank: list[str] = []
    keys: list[str] = []
    for line in text.splitlines(keepends=True):
        name, colon, value = line.partition(":")
        own = _keys(value.strip()) if colon and is_credential(name.strip(), _OF_LINES) else ()
        end = line[len(line.rstrip("\r\n")) :]
        blank.append(f"{name}:{end}" if own else line)
        keys += own
    return Credential(at, text, "".join(blank), tuple(keys)) if keys else None


def _address(url: str, at: Path) -> Credential | None:
    """A password before the host, or keys in the query."""
    keys: list[str] = []

    def password(match: re.Match[str]) -> str:
        own = _keys(match[1])
        keys.extend(own)
        keys.extend(key for key in match[1].split(":")[1:] if own and len(key) >= _SHORTEST)
        return "" if own else match[0]

    def parameter(match: re.Match[str]) -> str:
        own = _keys(match[3]) if is_credential(match[2], _OF_LINES) else ()
        keys.extend(own)
        return f"{match[1]}{match[2]}=" if own else match[0]

    blank = _IN_QUERY.sub(parameter, _BEFORE_HOST.sub(password, url))
    return Credential(at, url, blank, tuple(keys)) if keys else None


def _keys(text: str) -> tuple[str, ...]:
    """The keys in a value: what is left of it without references and without the name of a scheme."""
    parts = [_SCHEME.sub("", part, count=1).strip() for part in _REFERENCE.split(text)]
    return tuple(dict.fromkeys(part for part in parts if part.strip(" :;,")))


def long_enough(keys: Iterator[str]) -> list[str]:
    """The keys that are hidden in what a run tells."""
    return list(dict.fromkeys(key for key in keys if len(key) >= _SHORTEST))


def _at(value: Any, path: Path) -> Any:
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value
