"""The nodes that ask a model: llm, question-classifier and parameter-extractor.

The engine's own build a prompt with the user's text or a document's in it and then fill in the references to
variables of the *whole* prompt. Whoever types ``{{#env.KEY#}}`` would be shown to the model with the key. Here each
author's reference is filled in once, and what came from outside is left as text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from graphon.enums import WorkflowNodeExecutionStatus
from graphon.model_runtime.entities.message_entities import PromptMessage, PromptMessageContentType
from graphon.node_events.base import NodeRunResult
from graphon.nodes.llm import LLMNode, reasoning
from graphon.nodes.llm import node as llm_node
from graphon.nodes.llm.llm_utils import CONTEXT_PLACEHOLDER
from graphon.nodes.parameter_extractor import ParameterExtractorNode
from graphon.nodes.question_classifier import QuestionClassifierNode
from graphon.variables.template_resolution import convert_template

from engine.models.base import sees
from engine.models.json_answers import objects_in
from engine.models.thoughts import split_reasoning, without_thoughts
from engine.nodes.memory import History

# The engine's own takes minutes for thousands of thoughts that are not closed.
reasoning.split_reasoning = llm_node.split_reasoning = split_reasoning
QuestionClassifierNode._strip_think_tags = staticmethod(without_thoughts)


class Writer(LLMNode):
    """Writes a text. What a document says is told to the model as it stands: references in it are not filled in."""

    def __init__(self, *args: Any, memory: History | None, **services: Any) -> None:
        super().__init__(*args, memory=memory, **services)
        self._earlier = memory
        self._memory: History | None = memory

    def _fetch_context(self, node_data: Any) -> Any:
        for found in super()._fetch_context(node_data):
            if self._memory is not None and any(CONTEXT_PLACEHOLDER in text for text in self._texts()):
                # What was found takes its part of the model's tokens; what was said earlier has the rest.
                self._memory = self._memory.beside([found.context])
            yield found.model_copy(update={"context": found.context.replace("{{#", "{{ #")})

    def _prepare_run_prompt(self, **options: Any) -> Any:
        if self._earlier is not None:
            self._memory = self._earlier.beside(self._filled())
            if self.node_data.vision.enabled and sees(self.model_instance):
                self._memory = self._memory.seen(self.node_data.vision.configs.detail)
        prepared = yield from super()._prepare_run_prompt(**options)
        return replace(prepared, prompt_messages=shown_once(prepared.prompt_messages))

    def _filled(self) -> list[str]:
        """The author's prompts with the values of variables: what the model is told beside the history."""
        pool = self.runtime_state.variable_pool
        texts = [convert_template(pool, text).text for text in self._texts()]
        for one in self.node_data.prompt_config.jinja2_variables or []:
            value = pool.get(one.value_selector)
            texts += [value.text] if value is not None else []
        return texts

    def _texts(self) -> list[str]:
        template = self.node_data.prompt_template
        return [one.jinja2_text or one.text for one in (template if isinstance(template, list) else [template])]


class Classifier(QuestionClassifierNode):
    """Takes the branch of the class that the model names; of the first one when its answer is unclear."""

    @property
    def retry(self) -> bool:
        """Whether a failed attempt is repeated: as the node says, like every node that asks a model."""
        return bool(self.node_data.retry_config.retry_enabled)

    def _run(self) -> NodeRunResult:
        if not self.node_data.classes:
            return NodeRunResult(
                status=WorkflowNodeExecutionStatus.FAILED,
                error="The classifier has no classes",
                error_type="NodeIncomplete",
            )
        return super()._run()

    def _prepare_run_context(self) -> Any:
        # The instruction is filled in on the node's own data; another attempt must not fill in the result.
        instruction = self.node_data.instruction
        try:
            return super()._prepare_run_context()
        finally:
            self.node_data.instruction = instruction

    def _get_prompt_template(self, node_data: Any, query: str, memory: Any, max_token_limit: int = 2000) -> Any:
        pool = self.runtime_state.variable_pool
        classes = [one.model_copy(update={"name": convert_template(pool, one.name).text}) for one in node_data.classes]
        filled = node_data.model_copy(update={"classes": classes})
        return inert(super()._get_prompt_template(filled, query, memory, max_token_limit))

    @staticmethod
    def _resolve_category(*, rendered_classes: Sequence[Any], result_text: str) -> tuple[str, str, str]:
        try:
            found: tuple[str, str, str] = QuestionClassifierNode._resolve_category(
                rendered_classes=rendered_classes, result_text=result_text
            )
        except (ValueError, TypeError):
            first = rendered_classes[0]
            return first.name, first.id, first.label or "CLASS 1"
        return found


class Extractor(ParameterExtractorNode):
    """Finds the values of parameters in a text."""

    @property
    def retry(self) -> bool:
        """Whether a failed attempt is repeated: as the node says."""
        return bool(self.node_data.retry_config.retry_enabled)

    # The engine's own tries every brace to the end of the text, and takes one within a text for the object's.
    def _extract_complete_json_response(self, result: str) -> dict[str, Any] | None:
        return next((found for _, found in objects_in(result)), None)

    def _extract_json_from_tool_call(self, tool_call: Any) -> dict[str, Any] | None:
        return self._extract_complete_json_response(tool_call.function.arguments or "") if tool_call else None

    def _compile_prompt_messages(self, **options: Any) -> Any:
        return super()._compile_prompt_messages(**{**options, "prompt_template": inert(options["prompt_template"])})


def shown_once(messages: Sequence[PromptMessage]) -> list[PromptMessage]:
    """Return a prompt that shows each file once: one that a message names comes a second time with `vision`."""
    seen: list[Any] = []
    kept: list[PromptMessage] = []
    for message in messages:
        content = message.content
        if isinstance(content, list):
            new = []
            for part in content:
                if part.type == PromptMessageContentType.TEXT or part not in seen:
                    new.append(part)
                    seen.append(part)
            if not new:
                continue
            message = message.model_copy(update={"content": new})
        kept.append(message)
    return kept


def inert(template: Any) -> Any:
    """Return prompt messages in which nothing reads as a reference to a variable any more."""
    if isinstance(template, list):
        return [inert(message) for message in template]
    return template.model_copy(update={"text": template.text.replace("{{#", "{{ #")})
