"""A small world: two people in two workspaces, every role, some apps, an external subject, tokens."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from store import accounts, apps, sessions, workspaces
from store.accounts import Account
from store.apps import App
from store.caller import Caller
from store.workspaces import Workspace

PASSWORD = "correct horse"
ISSUER = "https://idp.example.com"
DEFINITION: dict[str, Any] = {
    "mode": "workflow",
    "graph": {"nodes": [], "edges": []},
    "features": {},
    "environment_variables": [],
    "conversation_variables": [],
}


@dataclass(frozen=True)
class World:
    """``owner`` owns ``home`` (there too: ``members`` by role); ``other`` owns ``away``."""

    owner: Account
    other: Account
    members: dict[str, Account]
    home: Workspace
    away: Workspace
    app: App
    chat: App
    foreign_app: App
    public_app: App
    owner_token: str
    other_token: str
    external_token: str
    owner_caller: Caller
    other_caller: Caller
    external_caller: Caller


def build() -> World:
    """Fill the open store."""
    owner = accounts.create("owner@example.com", "Olive Owner", PASSWORD)
    other = accounts.create("other@example.com", "Otto Other")
    home = workspaces.create("Home", owner.id)
    away = workspaces.create("Away", other.id)
    members = {"owner": owner}
    for role in sorted(workspaces.ROLES - {"owner"}):
        members[role] = accounts.create(f"{role}@example.com", role.title())
        workspaces.add_member(home.id, members[role].id, role)
    app = make_app(home.id, owner.id, "Summary", tags=["text", "demo"])
    chat = make_app(home.id, owner.id, "Chat", mode="advanced-chat")
    foreign = make_app(away.id, other.id, "Foreign")
    public = make_app(away.id, other.id, "Public", access_mode="public")
    mine, others, guests = mint_for(owner), mint_for(other), mint_external("guest@partner.example")
    callers = caller_of(mine), caller_of(others), caller_of(guests)
    made = owner, other, members, home, away, app, chat, foreign, public
    return World(*made, mine, others, guests, *callers)


def make_app(workspace_id: str, author_id: str, name: str, *, mode: str = "workflow", **more: Any) -> App:
    """A published app with a tiny definition."""
    definition = more.pop("definition_of", None) or {**DEFINITION, "mode": mode}
    made = apps.create(
        workspace_id, author_id, name=name, mode=mode, description=f"{name}.", definition=definition,
        source=f"app:\n  mode: {mode}\n  name: {name}\n", **more,
    )  # fmt: skip
    apps.publish(made.id)
    published = apps.for_operator_get(made.id)
    assert published is not None
    return published


def mint_for(account: Account, label: str = "laptop", client_id: str = "difyctl", days: float = 14) -> str:
    """A token of an account."""
    return sessions.mint(
        account_id=account.id, email=account.email, issuer=None, client_id=client_id, device_label=label,
        ttl=timedelta(days=days),
    )[0]  # fmt: skip


def mint_external(email: str, issuer: str = ISSUER) -> str:
    """A token of an external subject."""
    return sessions.mint(
        account_id=None,
        email=email,
        issuer=issuer,
        client_id="difyctl",
        device_label="kiosk",
        ttl=timedelta(days=14),
    )[0]


def caller_of(token: str) -> Caller:
    """Who a live token speaks for."""
    caller = sessions.resolve(token)
    assert caller is not None
    return caller
