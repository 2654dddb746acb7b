"""What one run knows about itself: who started it, from which definition, with what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from engine.inputs.variables import WORKFLOW_MODES
from store.caller import Caller


class Turn(NamedTuple):
    """What was asked and answered earlier; ``files`` are the values of those that came with the question."""

    query: str
    answer: str
    files: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True)
class RunContext:
    """Everything a run needs, read once before it starts; ``created_at`` is in Unix seconds.

    ``continues`` says that the conversation was there before; what was said in it is read when it is the run's turn.
    """

    run_id: str
    task_id: str
    app_id: str
    version_id: str
    mode: str
    caller: Caller
    document: Mapping[str, Any]
    inputs: Mapping[str, Any]
    created_at: int
    query: str | None = None
    conversation_id: str | None = None
    message_id: str | None = None
    dialogue_count: int = 1
    conversation_values: Mapping[str, Any] = field(default_factory=dict)
    history: tuple[Turn, ...] = ()
    continues: bool = False
    files: tuple[Mapping[str, Any], ...] = ()

    @property
    def is_chat(self) -> bool:
        """Whether the run answers a message (every mode but ``workflow``)."""
        return self.mode != "workflow"

    @property
    def is_flow(self) -> bool:
        """Whether the app is a workflow of its author's: only then are its run and its nodes told in events."""
        return self.mode in WORKFLOW_MODES

    @property
    def user_id(self) -> str:
        """The account's id; for an external subject its session's."""
        return self.caller.account_id or self.caller.session_id

    def system_values(self) -> dict[str, Any]:
        """Return the ``sys.*`` variables, in the order that ``workflow_started`` shows them."""
        values: dict[str, Any] = {}
        if self.is_chat:
            values["query"] = self.query or ""
        values |= {
            "files": list(self.files),
            "user_id": self.user_id,
            "app_id": self.app_id,
            "workflow_id": self.version_id,
            "workflow_run_id": self.run_id,
        }
        if self.is_chat:
            values |= {"conversation_id": self.conversation_id, "dialogue_count": self.dialogue_count}
        return {**values, "timestamp": self.created_at}

    def created_by(self) -> dict[str, Any]:
        """Return the ``created_by`` member of ``workflow_finished``."""
        caller = self.caller
        if caller.account_id is not None:
            return {"id": caller.account_id, "name": caller.name, "email": caller.email}
        return {"id": caller.session_id, "user": caller.email}
