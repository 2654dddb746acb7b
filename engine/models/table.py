"""The table that says which model really answers for the provider and name that an app was written with.

Apps come with models that this server may not have. The table is a file (setting ``DIFYSPEC_MODELS_FILE``,
YAML) of back ends and of patterns over ``provider/name``; the first pattern that fits decides, and what fits
none is answered by the default. Keys are never in it: a back end names an environment variable.

This module does not load the engine, so that commands can show the table at once.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine.definition.error import DefinitionError
from engine.definition.yaml_guard import read
from engine.models.backend import BUILT_IN, Backend, Kind, TableError, built_in

logger = logging.getLogger(__name__)


class Rule(BaseModel):
    """A pattern over ``provider/name``, ignoring case, with ``*`` for any text; and who answers for it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    match: Annotated[str, Field(min_length=1, max_length=200)]
    backend: str
    model: str = ""
    """What the model is called there; without it, by the name in the app."""


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    default: str = ""
    backends: dict[str, Backend] = {}
    models: list[Rule] = []


@dataclass(frozen=True)
class Choice:
    """Who answers for a model of an app. ``mapped`` is false where only the default was left."""

    backend_name: str
    backend: Backend
    model: str
    mapped: bool

    def __str__(self) -> str:
        where = self.backend_name if self.backend.kind == "echo" else f"{self.backend_name}/{self.model}"
        return where if self.mapped else f"{where} (default)"


_ALWAYS = (Rule(match="echo/*", backend="echo"), Rule(match="echo", backend="echo"))


@dataclass(frozen=True)
class ModelTable:
    """Back ends by name, rules in order, and the default as ``backend`` or ``backend/model``."""

    backends: Mapping[str, Backend] = field(default_factory=lambda: dict(BUILT_IN))
    rules: tuple[Rule, ...] = _ALWAYS
    default: str = "echo"
    _told: set[str] = field(default_factory=set, compare=False, repr=False)
    _lock: Any = field(default_factory=threading.Lock, compare=False, repr=False)

    def choose(self, provider: str, name: str) -> Choice:
        """Return who answers for an app's model."""
        for rule in self.rules:
            if any(fnmatchcase(given, rule.match.lower()) for given in _spellings(provider, name)):
                return Choice(rule.backend, self.backends[rule.backend], rule.model or name, True)
        backend, _, model = self.default.partition("/")
        return Choice(backend, self.backends[backend], model or name, False)

    def tell_once(self, provider: str, name: str, choice: Choice) -> None:
        """Log that a model is answered by the default, the first time it is met."""
        given = f"{provider}/{name}"
        with self._lock:
            if choice.mapped or given in self._told:
                return
            self._told.add(given)
        logger.warning(
            "No rule of the model table fits %s: %s answers for it (`difyspec models list` shows the table)",
            given,
            choice,
        )

    def used(self) -> dict[str, Backend]:
        """Return the back ends that a rule or the default leads to."""
        names = {rule.backend for rule in self.rules} | {self.default.partition("/")[0]}
        return {name: backend for name, backend in self.backends.items() if name in names}

    def kinds(self) -> set[Kind]:
        """Return the kinds of the back ends in use."""
        return {backend.kind for backend in self.used().values()}

    def problems(self) -> list[str]:
        """Return what would keep a back end in use from answering: keys that are not there."""
        return [
            f"the back end '{name}' wants a key, and the environment variable {backend.api_key_env} is empty"
            for name, backend in self.used().items()
            if backend.api_key_env and backend.api_key() is None
        ]


class Bounds(NamedTuple):
    """What an answer may take at the back ends of which the table does not say it: see `Backend`."""

    timeout_seconds: float = Backend.model_fields["timeout_seconds"].default
    answer_seconds: float = Backend.model_fields["answer_seconds"].default
    answer_bytes: int = Backend.model_fields["answer_bytes"].default


def load_table(path: Path | None, default: str = "", bounds: Bounds = Bounds()) -> ModelTable:
    """Read the table; without a path it has the built-in back ends only. ``default`` wins over the file's.

    Raises TableError.
    """
    found = _File() if path is None else _read(path)
    backends = {name: _bounded(one, bounds) for name, one in {**built_in(), **found.backends}.items()}
    chosen = default or found.default or "echo"
    rules = (*found.models, *_ALWAYS)
    for index, rule in enumerate(found.models):
        if rule.backend not in backends:
            raise TableError(f"{path}: models.{index}.backend: {_unknown(rule.backend, backends)}")
    if chosen.partition("/")[0] not in backends:
        raise TableError(f"default model: {_unknown(chosen.partition('/')[0], backends)}")
    return ModelTable(backends, rules, chosen)


def _bounded(backend: Backend, bounds: Bounds) -> Backend:
    told = {name: value for name, value in bounds._asdict().items() if name not in backend.model_fields_set}
    return backend.model_copy(update=told)


def _read(path: Path) -> _File:
    try:
        value, _ = read(path.read_bytes())
        return _File.model_validate(value or {})
    except OSError as error:
        raise TableError(f"{path}: cannot be read: {error.strerror}") from None
    except DefinitionError as error:
        raise TableError(f"{path}: {error}") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise TableError(f"{path}: {where}: {first['msg'].removeprefix('Value error, ')}") from None


def _unknown(name: str, backends: Iterable[str]) -> str:
    return f"there is no back end {name!r}; known are {', '.join(sorted(backends))}"


def _spellings(provider: str, name: str) -> set[str]:
    """An app names its provider as ``openai``, or in full as ``langgenius/openai/openai``."""
    full, short = provider.lower(), provider.lower().rpartition("/")[2]
    return {f"{one}/{name.lower()}" if name else one for one in (full, short)}
