"""What every run of one configured engine is executed with."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from engine.config import EngineConfig
from engine.forms.links import FormLinks
from engine.nodes.templates import TemplatePool
from engine.running.sealing import Sealer
from engine.running.worker_name import new_name
from engine.sandbox.pool import SandboxPool


@dataclass(frozen=True)
class Workplace:
    """``worker`` is the name under which runs are held."""

    config: EngineConfig
    templates: TemplatePool
    sandbox: SandboxPool
    links: FormLinks
    sealer: Sealer
    worker: str


def workplace(config: EngineConfig) -> Workplace:
    """Make one; without a ``secret_key`` paused runs cannot be taken up by another process."""
    secret = config.secret_key or secrets.token_urlsafe(32)
    pool = TemplatePool(
        seconds=config.template_seconds,
        memory_bytes=config.template_memory_bytes,
        limit=config.max_output_characters,
    )
    sandbox = SandboxPool(
        seconds=config.code_seconds,
        memory_bytes=config.code_memory_bytes,
        answer_bytes=config.max_code_answer_bytes,
    )
    return Workplace(
        config, pool, sandbox, FormLinks(secret, config.public_url), Sealer(secret, config.old_secret_keys), new_name()
    )
