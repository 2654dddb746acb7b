"""What is checked before a run starts; every refusal here reaches the client as a status, not as an event."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.definition.easy_graph import as_graph
from engine.files import service as file_rules
from engine.inputs import declared
from engine.inputs import given_files as file_inputs
from engine.inputs.variables import MODES, QUERY_MODES, WORKFLOW_MODES
from store import apps, conversations, files, runs
from store.app_row import App
from store.caller import Caller
from store.refusal import Refusal

UNAVAILABLE = "App unavailable, please check your app configurations."


@dataclass(frozen=True)
class Plan:
    """A run that may start. ``conversation`` is the one to continue, None for a new one or for a workflow.

    ``document`` has a graph in every mode.
    """

    version: apps.Version
    document: Mapping[str, Any]
    inputs: dict[str, Any]
    query: str | None
    conversation: conversations.Conversation | None
    auto_name: bool = True
    files: list[dict[str, Any]] = field(default_factory=list)


def plan(
    app: App,
    version: apps.Version | None,
    caller: Caller,
    body: Mapping[str, Any],
    opened: Callable[[Mapping[str, Any]], Mapping[str, Any]] = dict,
) -> Plan:
    """Check a request to run ``app`` (behaviour-runs §2.3, §2.4 and §5.1, in that order).

    ``opened`` makes of a stored definition what is run, with its secrets.

    Refusals: not_runnable, invalid_param, bad_request, not_found, app_unavailable.
    """
    if app.mode not in MODES:
        raise Refusal("not_runnable", "mode_not_runnable")
    query = _query(app.mode, body.get("query"))
    flow = app.mode in WORKFLOW_MODES
    chosen = _version(app, version, body.get("workflow_id") if flow else None)
    conversation = None
    if app.mode in QUERY_MODES and body.get("conversation_id"):
        conversation = conversations.visible(caller, app.id, str(body["conversation_id"]))
        if conversation is None:
            raise Refusal("not_found", "Conversation Not Exists.")
        if not flow:
            chosen = _begun_with(app, caller, conversation) or chosen
    given = declared.check(chosen.definition, body.get("inputs") or {})
    wanted = file_inputs.to_ask(chosen.definition, given, body.get("files"))
    told = file_rules.current().asking.ask(caller.subject, wanted)
    given = file_inputs.resolve(app.id, caller, chosen.definition, given, told)
    attached = file_inputs.attached(app.id, caller, chosen.definition, body.get("files"), told)
    used = file_inputs.used_ids(chosen.definition, given, attached)
    if used and not files.keep(caller, app.id, used, file_rules.current().config.kept_for):
        raise Refusal("invalid_param", "A file was deleted a moment ago; upload it again.")
    auto_name = body.get("auto_generate_name") is not False and app.mode != "completion"
    document = as_graph(opened(chosen.definition), given, query)
    return Plan(chosen, document, given, query, conversation, auto_name, attached)


def _begun_with(app: App, caller: Caller, conversation: conversations.Conversation) -> apps.Version | None:
    """The version that a conversation without a workflow goes on with: its prompt does not change half way."""
    first = runs.first_of(caller, app.id, conversation.id)
    return apps.version(app.id, first.version_id) if first is not None else None


def _query(mode: str, query: str | None) -> str | None:
    if mode == "workflow":
        if query is not None:
            raise Refusal(
                "invalid_param", "query_not_supported_for_workflow", hint="A workflow takes inputs; leave query out."
            )
        return None
    # NUL cannot be stored by PostgreSQL; the reference drops it too.
    query = (query or "").replace("\x00", "")
    if not query.strip() and mode in QUERY_MODES:
        raise Refusal("invalid_param", "query_required_for_chat", hint="Say something to the app in query.")
    return query


def _version(app: App, published: apps.Version | None, wanted: str | None) -> apps.Version:
    if wanted:
        try:
            wanted = str(uuid.UUID(wanted))
        except ValueError:
            raise Refusal(
                "bad_request", f"Invalid workflow_id format: '{wanted}'. Please provide a valid UUID."
            ) from None
        chosen = apps.version(app.id, wanted)
        if chosen is None:
            raise Refusal("not_found", f"Workflow not found with id: {wanted}")
        if chosen.is_draft:
            raise Refusal(
                "bad_request",
                f"The workflow '{wanted}' is the draft; name a published version or leave workflow_id empty.",
            )
        return chosen
    if published is None or published.is_draft:
        raise Refusal("app_unavailable", UNAVAILABLE)
    return published
