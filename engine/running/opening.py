"""What a run writes into the store: its row and its conversation's message at the start, how it went at the
end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from engine.definition import author_secrets
from engine.definition.easy_graph import as_graph
from engine.inputs.checks import Plan
from engine.running.context import RunContext, Turn
from engine.running.outcome import Outcome
from engine.running.sealing import Sealer
from store import accounts, apps, conversations, db, events, idempotency, run_counts, run_lists
from store import runs as rows
from store.app_row import App
from store.caller import Caller
from store.idempotency import Claim
from store.refusal import Refusal

MOST_WAITING = 8  # runs of one conversation at a time: the others would hold threads
_REMEMBERED = 2 * 1024 * 1024  # characters of earlier turns that a run has in memory; models see far less
_SHORT, _LONG = 20, 50  # characters of a conversation's name
_RETRY = {"Retry-After": "5"}


class Most(NamedTuple):
    """How many runs of one subject, and of one app, may be queued or running at a time, on all servers together; 0
    bounds nothing. Those of a subject that wait for people do not count, but have a bound of their own.
    """

    of_subject: int = 0
    of_app: int = 0
    waiting: int = 0


@db.writes
def open_run(
    app: App,
    caller: Caller,
    plan: Plan,
    worker: str = "",
    lease_seconds: float = 0,
    claim: Claim | None = None,
    most: Most = Most(),
) -> tuple[RunContext | None, rows.Run]:
    """Store a run that ``worker`` is about to start; for a chat also its message, and its conversation if new.

    The context is None when the request with this ``claim`` has begun the run before. ``most`` bounds how many runs may
    work or wait for it at a time. Refusals: too_many_requests.
    """
    if claim is not None and (begun := idempotency.run_of(claim)):
        return None, rows.begun(begun)
    _check_room(app.id, caller.subject, most)
    conversation, message_id = plan.conversation, None
    if app.mode != "workflow":
        if conversation is None:
            conversation = conversations.open(app.id, caller, plan.inputs, _name(plan.query or "", plan.auto_name))
        elif run_counts.unfinished_of(app.id, conversation.id) >= MOST_WAITING:
            told = (
                f"{MOST_WAITING} questions of this conversation are being answered or wait; wait for an answer first."
            )
            raise Refusal("too_many_requests", told, headers=_RETRY)
        message_id = conversations.create_message(conversation.id, query=plan.query or "", inputs=plan.inputs).id
    row = rows.create(
        app_id=app.id,
        version_id=plan.version.id,
        caller=caller,
        inputs=plan.inputs,
        mode=app.mode,
        conversation_id=conversation.id if conversation else None,
        message_id=message_id,
        query=plan.query,
        files=plan.files,
        worker=worker,
        lease_seconds=lease_seconds,
    )
    if claim is not None:
        idempotency.keep(claim, row.id)
    context = RunContext(
        run_id=row.id,
        task_id=row.task_id,
        app_id=app.id,
        version_id=plan.version.id,
        mode=app.mode,
        caller=caller,
        document=plan.document,
        inputs=plan.inputs,
        created_at=int(row.created_at.timestamp()),
        query=plan.query,
        conversation_id=row.conversation_id,
        message_id=message_id,
        files=tuple(plan.files),
        continues=plan.conversation is not None,
    )
    return context, row


def _check_room(app_id: str, subject: str, most: Most) -> None:
    # The caller's own first: who has used up that fills nobody else's.
    if most.of_subject and not run_counts.subject_has_room(subject, most.of_subject):
        told = f"You have {most.of_subject} runs queued or at work, which is as many as one caller may have."
        raise Refusal("too_many_requests", told, hint="Wait until one has ended, or stop one.", headers=_RETRY)
    if most.waiting and not run_counts.subject_may_wait(subject, most.waiting):
        told = f"You have {most.waiting} runs that wait for people, which is as many as one caller may have."
        raise Refusal("too_many_requests", told, hint="Answer their forms, or stop some.", headers=_RETRY)
    if most.of_app and not run_counts.has_room(app_id, most.of_app):
        told = f"This app has {most.of_app} runs at work, which is as many as it may have; wait until one has ended."
        raise Refusal("too_many_requests", told, headers=_RETRY)


def context_of(row: rows.Run, document: Mapping[str, Any]) -> RunContext:
    """What is known of a stored run, as its events need it; its conversation is read when it is its turn."""
    account = accounts.get(row.account_id) if row.account_id else None
    issuer, _, email = row.subject.partition(":")[2].rpartition(":")
    caller = Caller(
        subject_type="account" if row.account_id else "external_sso",
        account_id=row.account_id,
        email=account.email if account else email,
        issuer=None if row.account_id else issuer,
        name=account.name if account else "",
        session_id=row.session_id,
        client_id="",
        scopes=frozenset(),
        expires_at=row.created_at,
    )
    return RunContext(
        run_id=row.id,
        task_id=row.task_id,
        app_id=row.app_id,
        version_id=row.version_id,
        mode=row.mode,
        caller=caller,
        document=document,
        inputs=row.inputs,
        created_at=int(row.created_at.timestamp()),
        query=row.query,
        conversation_id=row.conversation_id,
        message_id=row.message_id,
        files=tuple(row.files or ()),
        continues=row.conversation_id is not None,
    )


def reopened(row: rows.Run, sealer: Sealer) -> RunContext | None:
    """The context of a stored run that has not begun; None when what it runs is gone. Refusals: app_unavailable."""
    version = apps.version(row.app_id, row.version_id)
    if version is None:
        return None
    return context_of(row, as_graph(author_secrets.opened(version.definition, sealer), row.inputs, row.query))


@db.reads
def with_conversation(context: RunContext, sealer: Sealer) -> RunContext:
    """The context of a run whose turn it is: what was said before, and the conversation's variables as they are."""
    conversation_id, message_id = context.conversation_id, context.message_id
    if conversation_id is None:
        return context
    history = conversations.history(conversation_id, before=message_id, most=_REMEMBERED)
    files = run_lists.files_of(context.app_id, context.caller.subject, conversation_id) if history else {}
    return replace(
        context,
        conversation_values=values_of(conversation_id, sealer),
        dialogue_count=conversations.message_count(conversation_id, before=message_id) + 1,
        history=tuple(Turn(one.query, one.answer, files.get(one.id, ())) for one in history if one.answer),
    )


def record_end(context: RunContext, outcome: Outcome, worker: str, first_seq: int, payloads: list[str]) -> bool:
    """Store how a run ended, its last events and the answer of its message (also a partial one), all or nothing.

    False, and nothing is stored, when the run is not ``worker``'s any more, or has ended otherwise: another one tells
    how it ends. A write whose answer was lost, because the connection broke, may be tried again.
    """
    try:
        ended = _record_end(context, outcome, worker, first_seq, payloads)
    except db.RETRIED:
        there = events.already(context.run_id, first_seq, payloads)
        return bool(there) and _record_end(context, outcome, worker, first_seq + there, payloads[there:])
    return ended or events.already(context.run_id, first_seq, payloads) == len(payloads)


@db.writes
def _record_end(context: RunContext, outcome: Outcome, worker: str, first_seq: int, payloads: list[str]) -> bool:
    ended = rows.finish(
        context.run_id,
        outcome.status,
        outcome.outputs,
        outcome.error,
        outcome.elapsed,
        outcome.tokens,
        outcome.steps,
        outcome.exceptions,
        worker=worker,
    )
    if not ended:
        return False
    events.append(context.run_id, first_seq, payloads)
    if context.message_id is not None:
        status = {"failed": "error", "stopped": "stopped"}.get(outcome.status, "normal")
        conversations.finish_message(
            context.message_id,
            answer=outcome.answer,
            status=status,
            tokens=outcome.tokens,
            metadata={"usage": outcome.usage, "retriever_resources": outcome.resources},
            error=outcome.error,
        )
    return True


def values_of(conversation_id: str, sealer: Sealer) -> dict[str, Any]:
    """A conversation's variables, as a run sees them."""
    return author_secrets.recalled(conversations.variables(conversation_id), sealer)


def save_variables(context: RunContext, values: Mapping[str, Any], sealer: Sealer) -> None:
    """Store all variables of the run's conversation."""
    if context.conversation_id is not None:
        conversations.save_variables(context.conversation_id, author_secrets.kept(values, context.document, sealer))


def _name(query: str, auto: bool) -> str:
    """A conversation's name: the beginning of its question, more of it if the caller wants a name made."""
    if not query:
        return "New conversation"
    if auto:
        return query if len(query) <= _LONG else query[: _LONG - 3] + "..."
    return query if len(query) <= _SHORT else query[:_SHORT] + "…"
