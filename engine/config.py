"""The engine's settings, handed in once by whoever builds the server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.files.config import FileConfig
from engine.forms.mail_config import MailConfig
from engine.models.table import ModelTable


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """What an operator may decide about runs; times are seconds unless the name says otherwise.

    ``allowed_hosts`` names hosts that HTTP request nodes may reach although their address is private;
    ``allow_private_addresses`` opens them all. ``ping_seconds`` and ``retry_ms`` shape the event streams.

    ``secret_key`` and ``public_url`` make the links of forms; the key also seals what paused runs remember, so
    every process that is to take them up needs the same. ``form_seconds`` bounds how long any form waits,
    ``sweep_seconds`` says how often forms and lost runs are looked for. A worker holds its runs for
    ``lease_seconds`` at a time; a run is kept for another worker every ``checkpoint_seconds`` between two
    nodes (0: only at pauses), and when the server stops, if its nodes are done within ``release_seconds``.
    ``old_secret_keys`` open what was sealed before the key was changed.
    ``mail`` is where the links of forms are handed in that go by e-mail; None sends none.
    ``max_run_bytes`` bounds all events of a run together. With no ``max_concurrent_runs`` this process executes none:
    others on the same store do. ``max_runs_per_app`` and ``max_runs_per_subject`` bound the runs of one app, and of one
    caller, at a time, in all processes; 0 does not. Of one caller, ``large_reads_per_subject`` bounds how many streams
    may hold a large event at a time, ``max_run_bytes_per_subject`` what its runs at work hold together, both in this
    process, and ``max_paused_runs_per_subject`` its runs that wait for people when another begins; 0 does not.
    """

    max_execution_seconds: float = 1200
    max_execution_steps: int = 500
    allow_private_addresses: bool = False
    allowed_hosts: frozenset[str] = frozenset()
    ping_seconds: float = 10
    retry_ms: int = 3000
    max_concurrent_runs: int = 128
    max_runs_per_app: int = 0
    max_runs_per_subject: int = 0
    large_reads_per_subject: int = 2
    max_run_bytes_per_subject: int = 0
    max_paused_runs_per_subject: int = 0
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
    old_secret_keys: tuple[str, ...] = ()
    tool_credentials: Mapping[str, str] = field(default_factory=dict)
    max_run_bytes: int = 64 * 1024 * 1024
    public_url: str = ""
    mail: MailConfig | None = None
    form_seconds: float = 7 * 86400
    sweep_seconds: float = 5
    lease_seconds: float = 30
    checkpoint_seconds: float = 5
    release_seconds: float = 3
