"""What the nodes of a run share: models, templates, HTTP, history, and the flag that ends it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from graphon.nodes.llm.entities import ModelConfig
from graphon.template_rendering import Jinja2TemplateRenderer, TemplateRenderError

from engine.events.jsonable import jsonable
from engine.files.run_files import RunFiles
from engine.files.runtime import FileRuntime
from engine.forms.desk import FormDesk
from engine.knowledge.lookup import Knowledge
from engine.models.base import BaseModelAdapter
from engine.models.meter import Meter
from engine.models.registry import make_model
from engine.models.table import ModelTable
from engine.nodes.code_executor import CodeExecutor
from engine.nodes.templates import TemplatePool, TemplateRefused
from engine.running.cancel import CancelToken
from engine.tools.registry import Toolbox


class Renderer(Jinja2TemplateRenderer):
    """The engine's template port, on our confined workers."""

    def __init__(self, pool: TemplatePool, cancel: CancelToken) -> None:
        self._pool, self._cancel = pool, cancel

    def render_template(self, template: str, variables: Mapping[str, Any]) -> str:
        """Return the template's text. Raises TemplateRenderError with the reason."""
        try:
            return self._pool.render(template, variables, self._cancel)
        except TemplateRefused as error:
            raise TemplateRenderError(str(error)) from None


class Serializer:
    """How a prompt is shown in a node's process data."""

    def serialize(self, *, model_mode: object, prompt_messages: Any) -> Any:
        """Return the messages as plain JSON values."""
        return [jsonable(message) for message in prompt_messages]


@dataclass(frozen=True)
class Services:
    """What the nodes of one run share."""

    cancel: CancelToken
    renderer: Renderer
    code: CodeExecutor
    http_client: Any
    history: Any
    forms: FormDesk
    max_output_characters: int
    tools: Toolbox
    files: RunFiles
    file_runtime: FileRuntime
    knowledge: Knowledge
    models: ModelTable = field(default_factory=ModelTable)
    meter: Meter = field(default_factory=Meter)

    def model(self, config: Any) -> BaseModelAdapter:
        """Return a model of its own for one node (the engine assigns parameters on it)."""
        made = make_model(self.models, config.provider, config.name, config.completion_params, self.cancel)
        made.meter = self.meter
        return made

    def model_written(self, written: Mapping[str, Any]) -> BaseModelAdapter:
        """Return the model that a definition writes outside a node's ``model``: by ``name``, or as ``model``."""
        name = str(written.get("name") or written.get("model") or "")
        given = written.get("completion_params")
        parameters = dict(given) if isinstance(given, Mapping) else {}
        provider = str(written.get("provider") or "")
        return self.model(ModelConfig(provider=provider, name=name, mode="chat", completion_params=parameters))
