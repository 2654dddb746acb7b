"""The payloads a run sends, in the shapes of the API's events: the envelope, then the event's members."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from engine.files.run_files import shown
from engine.running.context import RunContext


class Payloads:
    """Makes payloads for one run. Times are Unix seconds; ``elapsed_time`` is in seconds."""

    def __init__(self, context: RunContext) -> None:
        self._context = context
        chat = {
            "conversation_id": context.conversation_id,
            "message_id": context.message_id,
            "created_at": context.created_at,
        }
        if context.mode == "completion":
            # Its conversation is only where the message is kept; nobody can continue it.
            del chat["conversation_id"]
        self._chat: dict[str, Any] = chat if context.is_chat else {}

    def workflow_event(self, event: str, data: dict[str, Any]) -> dict[str, Any]:
        """Make an event of the run or of a node: ``event``, the envelope with its ids, ``data``."""
        ids = {"workflow_run_id": self._context.run_id, "task_id": self._context.task_id}
        if self._chat:
            ids = {"task_id": self._context.task_id, "workflow_run_id": self._context.run_id}
        return {"event": event, **self._chat, **ids, "data": data}

    def text(self, text: str, selector: list[str]) -> dict[str, Any]:
        """Make a piece of the answer: ``message`` in a chat, ``text_chunk`` in a workflow."""
        if not self._chat:
            return self.workflow_event("text_chunk", {"text": text, "from_variable_selector": selector})
        return self._message("message", answer=text, from_variable_selector=selector if self._context.is_flow else None)

    def agent_text(self, text: str) -> dict[str, Any]:
        """Make a piece of what an agent's model says."""
        return self._message("agent_message", answer=text)

    def agent_thought(self, thought: dict[str, Any]) -> dict[str, Any]:
        """Make a round of an agent, as far as it has come."""
        return {"event": "agent_thought", **self._chat, "task_id": self._context.task_id, **thought}

    def replacement(self, answer: str, reason: str) -> dict[str, Any]:
        """Make the answer that takes the place of everything said so far."""
        text = {"task_id": self._context.task_id, "answer": answer, "reason": reason}
        return {"event": "message_replace", **self._chat, **text}

    def text_so_far(self, text: str) -> dict[str, Any]:
        """Make the text that takes the place of everything said so far, because the end of it does not count."""
        return self.replacement(text, "") if self._chat else self.workflow_event("text_replace", {"text": text})

    def error(self, code: str, status: int, message: str) -> dict[str, Any]:
        """Make the last event of a run without a workflow that broke."""
        ids = {"task_id": self._context.task_id, "code": code, "message": message, "status": status}
        return {"event": "error", **self._chat, **ids}

    def speech(self, pieces: Sequence[str]) -> list[dict[str, Any]]:
        """Make the events of an answer that is spoken: each piece of audio (base64), and that there are no more."""
        told = [*(("tts_message", piece) for piece in pieces), ("tts_message_end", "")] if pieces else []
        ids = {"task_id": self._context.task_id}
        if self._context.is_flow:
            ids["workflow_run_id"] = self._context.run_id
        return [{"event": event, **self._chat, **ids, "audio": audio} for event, audio in told]

    def message_file(self, file: dict[str, Any]) -> dict[str, Any]:
        """Make the event of a file that the model made; ``file`` is a file value with its link."""
        data = {"type": file["type"], "belongs_to": "assistant", "url": file["url"]}
        return {**self._message("message_file", **data), "id": file["related_id"]}

    def _message(self, event: str, **members: Any) -> dict[str, Any]:
        ids = {"task_id": self._context.task_id, "id": self._context.message_id}
        return {"event": event, **self._chat, **ids, **members}

    def message_end(
        self, usage: dict[str, int], files: list[dict[str, Any]], resources: Sequence[dict[str, Any]] = ()
    ) -> dict[str, Any]:
        """Make the end of a chat's answer, with the tokens it took, the files in it and what it rests on."""
        metadata = {"usage": usage, "retriever_resources": list(resources)}
        if not self._context.is_flow:
            # Such a message also lists what the person attached.
            known = shown([list(self._context.files), files])
            files = [{**one, "upload_file_id": _upload(one)} for one in known]
        return self._message("message_end", metadata=metadata, files=files if self._context.is_flow else files or None)

    def workflow_started(self, reason: str = "initial") -> dict[str, Any]:
        """Make the first event: the inputs and the ``sys.*`` values, without the conversation's id.

        ``reason`` is ``resumption`` when the run goes on after it stood still.
        """
        context = self._context
        system = {f"sys.{k}": v for k, v in context.system_values().items() if k != "conversation_id"}
        return self.workflow_event(
            "workflow_started",
            {
                "id": context.run_id,
                "workflow_id": context.version_id,
                "inputs": {**context.inputs, **system},
                "created_at": context.created_at,
                "reason": reason,
            },
        )

    def workflow_finished(
        self,
        *,
        status: str,
        outputs: dict[str, Any],
        error: str | None,
        elapsed: float,
        tokens: int,
        steps: int,
        exceptions: int,
        finished_at: int,
    ) -> dict[str, Any]:
        """Make the last event of every run, however it ended."""
        context = self._context
        return self.workflow_event(
            "workflow_finished",
            {
                "id": context.run_id,
                "workflow_id": context.version_id,
                "status": status,
                "outputs": outputs,
                "error": error,
                "elapsed_time": elapsed,
                "total_tokens": tokens,
                "total_steps": steps,
                "created_by": context.created_by(),
                "created_at": context.created_at,
                "finished_at": finished_at,
                "exceptions_count": exceptions,
                "files": shown(outputs),
            },
        )

    def form_required(self, form_id: str, node_id: str, shown: dict[str, Any]) -> dict[str, Any]:
        """Make the event of a form that waits; `engine.forms.links` puts token and link in when it is sent."""
        return self.workflow_event("human_input_required", _form(form_id, node_id, shown))

    def workflow_paused(
        self,
        forms: list[tuple[str, str, dict[str, Any]]],
        *,
        outputs: dict[str, Any],
        elapsed: float,
        tokens: int,
        steps: int,
    ) -> dict[str, Any]:
        """Make the last event before a run waits; ``forms`` are (id, node id, what is shown)."""
        reasons = []
        for form in forms:
            told = _form(*form)
            del told["display_in_ui"]
            reasons.append({"TYPE": "human_input_required", **told})
        context = self._context
        return self.workflow_event(
            "workflow_paused",
            {
                "workflow_run_id": context.run_id,
                "paused_nodes": list(dict.fromkeys(node_id for _, node_id, _ in forms)),
                "outputs": outputs,
                "reasons": reasons,
                "status": "paused",
                "created_at": context.created_at,
                "elapsed_time": elapsed,
                "total_tokens": tokens,
                "total_steps": steps,
            },
        )


def _form(form_id: str, node_id: str, shown: dict[str, Any]) -> dict[str, Any]:
    # The log keeps only whether there is a token.
    return {"form_id": form_id, "node_id": node_id, **shown, "form_token": shown["display_in_ui"], "form_url": None}


def _upload(file: dict[str, Any]) -> Any:
    return file["related_id"] if file["transfer_method"] == "local_file" else None
