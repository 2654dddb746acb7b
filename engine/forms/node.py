"""The node that asks a person: it asks once, and goes on with the answer when the run is taken up again."""

from __future__ import annotations

from collections.abc import Generator
from datetime import timedelta
from typing import Any

from graphon.entities.pause_reason import HitlRequired
from graphon.enums import BuiltinNodeTypes, NodeExecutionType, WorkflowNodeExecutionStatus
from graphon.node_events.base import NodeEventPayload, NodeRunResult
from graphon.node_events.node import PauseRequestedEvent, StreamCompletedEvent
from graphon.nodes.base.node import Node
from graphon.runtime.init_params import InitParams
from graphon.runtime.runtime_state import RuntimeState
from graphon.variables.template_resolution import convert_template

from engine.events.jsonable import jsonable
from engine.files.runtime import graph_value
from engine.forms.desk import FormDesk
from engine.forms.node_data import MOST, FormField, HumanInputData
from engine.forms.told import action_title, rendered, text_of
from engine.inputs.variables import FILE_TYPES
from store.clock import current, current_ids
from store.forms import Draft, Form
from store.mails import MailDraft

TIMED_OUT = "__timeout"


class HumanInputNode(Node[HumanInputData]):
    """Leaves by the edge of the chosen action, or by ``__timeout``."""

    node_type = BuiltinNodeTypes.HUMAN_INPUT
    execution_type = NodeExecutionType.BRANCH

    def __init__(
        self,
        node_id: str,
        data: HumanInputData,
        *,
        init_params: InitParams,
        runtime_state: RuntimeState,
        desk: FormDesk,
    ) -> None:
        super().__init__(node_id=node_id, data=data, init_params=init_params, runtime_state=runtime_state)
        self._desk = desk

    @classmethod
    def version(cls) -> str:
        """The only version there is."""
        return "1"

    def _run(self) -> Generator[NodeEventPayload, None, None]:
        form = self._desk.decided(self.execution_id)
        if form is None:
            asked = self._desk.asked(self.execution_id) or self._ask()
            reason = HitlRequired(session_id=asked, node_id=self.id, node_title=self.title)
            yield PauseRequestedEvent(reason=reason)
        else:
            yield self._completed(form)

    def _ask(self) -> str:
        data, now = self.node_data, current().now()
        form_id, expires = current_ids().uuid7(), now + timedelta(seconds=data.seconds)
        fields = [self._field(one) for one in data.inputs]
        closes = min(expires - now, self._desk.longest) + now
        shown = {
            "node_title": self.title,
            "form_content": self._filled(data.form_content),
            "inputs": fields,
            "actions": [one.model_dump() for one in data.user_actions],
            "resolved_default_values": self._defaults(),
            "display_in_ui": data.has_link,
            "expiration_time": int(closes.timestamp()),
        }
        token_hash = self._desk.token_hash(form_id) if data.has_link else None
        mails: tuple[MailDraft, ...] = ()
        if self._desk.outgoing:
            mails = self._desk.outgoing.write(form_id, self.title, data.delivery_methods, self._filled)
        self._desk.ask(Draft(form_id, self.execution_id, self.id, token_hash, shown, now, expires, mails))
        return form_id

    def _filled(self, text: str) -> str:
        return convert_template(self.runtime_state.variable_pool, text).markdown

    def _field(self, one: FormField) -> dict[str, Any]:
        shown: dict[str, Any] = {"type": one.type, "output_variable_name": one.output_variable_name}
        if one.type == "paragraph":
            return {**shown, "default": one.default.model_dump() if one.default else None}
        if one.type == "select":
            source = one.option_source
            options = self._value(source.selector) if source.type == "variable" else source.value
            texts = [text_of(item) for item in options[:MOST]] if isinstance(options, list) else []
            return {**shown, "option_source": {**source.model_dump(), "value": texts}}
        shown |= {
            "allowed_file_types": one.allowed_file_types,
            "allowed_file_extensions": one.allowed_file_extensions,
            "allowed_file_upload_methods": one.allowed_file_upload_methods,
        }
        return {**shown, "number_limits": one.number_limits} if one.type == "file-list" else shown

    def _defaults(self) -> dict[str, str]:
        found = {}
        for one in self.node_data.inputs:
            if one.type == "paragraph" and one.default and one.default.type == "variable":
                found[one.output_variable_name] = text_of(self._value(one.default.selector))
        return found

    def _value(self, selector: list[str]) -> Any:
        segment = self.runtime_state.variable_pool.get(selector) if len(selector) >= 2 else None
        return None if segment is None else jsonable(segment)

    @staticmethod
    def _completed(form: Form) -> StreamCompletedEvent:
        content = form.definition["form_content"]
        action, values, title = TIMED_OUT, {}, ""
        if form.answer is not None:
            action, values = form.answer["action"], form.answer["inputs"]
            content, title = rendered(content, values), action_title(form)
            kinds = {one["output_variable_name"]: one["type"] for one in form.definition["inputs"]}
            values = {name: graph_value(one) if kinds.get(name) in FILE_TYPES else one for name, one in values.items()}
        outputs = {
            **values,
            "__action_id": action if form.answer else "",
            "__action_value": title,
            "__rendered_content": content,
        }
        return StreamCompletedEvent(
            node_run_result=NodeRunResult(
                status=WorkflowNodeExecutionStatus.SUCCEEDED, outputs=outputs, edge_source_handle=action
            )
        )
