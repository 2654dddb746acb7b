"""The engine's settings, handed in once by whoever builds the server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.files import FileConfig
from engine.models.table import ModelTable


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """What an operator may decide about runs; times are seconds unless the name says otherwise.

    ``allowed_hosts`` names hosts that HTTP request nodes may reach although their address is private;
    ``allow_private_addresses`` opens them all. ``ping_seconds`` and ``retry_ms`` shape the event streams.
    """

    max_execution_seconds: float = 1200
    max_execution_steps: int = 500
    allow_private_addresses: bool = False
    allowed_hosts: frozenset[str] = frozenset()
    ping_seconds: float = 10
    retry_ms: int = 3000
    max_concurrent_runs: int = 128
    template_seconds: float = 5
    template_memory_bytes: int = 256 * 1024 * 1024
    code_seconds: float = 10
    code_memory_bytes: int = 256 * 1024 * 1024
    max_code_answer_bytes: int = 4 * 1024 * 1024
    max_output_characters: int = 400_000
    max_http_bytes: int = 10 * 1024 * 1024
    files: FileConfig = field(default_factory=FileConfig)
    models: ModelTable = field(default_factory=ModelTable)
    secret_key: str = ""
    tool_credentials: Mapping[str, str] = field(default_factory=dict)
