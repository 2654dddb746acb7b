"""The services that one run's nodes are given."""

from __future__ import annotations

from typing import Any

from engine.files import service as files
from engine.files.runtime import FileRuntime
from engine.forms.desk import FormDesk
from engine.inputs.given_files import value_of
from engine.knowledge.lookup import Knowledge
from engine.network.address_guard import AddressGuard
from engine.network.http_client import GuardedHttpClient
from engine.nodes.code_executor import CodeExecutor
from engine.nodes.memory import History
from engine.nodes.services import Renderer, Services
from engine.running.live import LiveRun
from engine.running.workplace import Workplace
from engine.tools.custom import finder
from engine.tools.registry import Toolbox
from engine.tools.tool import ToolContext
from store.clock import current


def node_services(live: LiveRun, place: Workplace, desk: FormDesk) -> Services:
    """Return what the nodes of ``live`` work with; all of it stops when the run is cancelled."""
    config, context = place.config, live.context
    guard = AddressGuard(allow_private=config.allow_private_addresses, allowed_hosts=config.allowed_hosts)
    http_client = GuardedHttpClient(guard, live.cancel, config.max_http_bytes)

    def html(content: bytes) -> str:
        return files.current().reader.text([content], "html", live.cancel)

    def keep(content: bytes, name: str, mime_type: str) -> dict[str, Any]:
        return value_of(live.files.make(content, name, mime_type))

    return Services(
        cancel=live.cancel,
        renderer=Renderer(place.templates, live.cancel),
        code=CodeExecutor(place.sandbox, live.cancel),
        http_client=http_client,
        history=History(context.history).beside([context.query or ""]) if context.is_chat else None,
        forms=desk,
        max_output_characters=config.max_output_characters,
        tools=Toolbox(
            ToolContext(live.cancel, http_client, current().now, html, keep),
            finder(context.app_id, place.sealer, config.tool_credentials),
        ),
        models=config.models,
        meter=live.meter,
        knowledge=Knowledge(context.app_id),
        files=live.files,
        file_runtime=FileRuntime(
            live.files, lambda most: GuardedHttpClient(guard, live.cancel, most), config.files.limits
        ),
    )
