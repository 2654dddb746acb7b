"""The apps whose runs are measured, in a database of their own."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import world
from tests.engine import graphs

WIDE = 20
LONG = 5000
SLOW_WORDS, SLOW_MS = 100, 30
SLOW_SECONDS = SLOW_WORDS * SLOW_MS / 1000


@dataclass(frozen=True)
class World:
    """What the requests need to know."""

    database: Path
    bearer: dict[str, str]
    apps: Mapping[str, str]
    documents: Mapping[str, dict[str, Any]]

    def path(self, app: str, tail: str = "run") -> str:
        """The path of an operation on an app."""
        return f"/openapi/v1/apps/{self.apps[app]}/{tail}"

    def body(self, app: str) -> dict[str, Any]:
        """The body that runs an app."""
        chat = self.documents[app]["mode"] == "advanced-chat"
        return {"inputs": {}, "query": "go"} if chat else {"inputs": {}}


def templates(count: int) -> dict[str, Any]:
    """start → ``count`` templates, one after the other → end."""
    names = [f"t{number}" for number in range(count)]
    nodes = [graphs.node("start", "start", variables=[])]
    nodes += [graphs.template(name, "hello {{ who }}", who=["sys", "user_id"]) for name in names]
    nodes.append(graphs.end(result=[names[-1], "output"]))
    steps = ["start", *names, "end"]
    return graphs.document(nodes, [graphs.edge(a, b) for a, b in itertools.pairwise(steps)])


def build(folder: Path) -> World:
    """Make the database with an account and the apps."""
    import store
    import store.apps
    import store.sessions

    made = world.build(folder, 2)
    documents = {
        "small": templates(1),
        "wide": templates(WIDE),
        "long": graphs.chat_document(chunks=LONG),
        "slow": graphs.chat_document(chunks=SLOW_WORDS, delay_ms=SLOW_MS),
        "held": graphs.chat_document(chunks=1, delay_ms=60_000),
    }
    store.open(f"sqlite:///{made.database}")
    caller = store.sessions.resolve(made.token)
    assert caller is not None
    apps = {}
    for name, document in documents.items():
        one = store.apps.create(
            made.workspace_id,
            caller.account_id,
            name=name,
            mode=document["mode"],
            description="",
            definition=document,
            source="",
            tags=[],
        )
        store.apps.publish(one.id)
        apps[name] = one.id
    store.close()
    return World(made.database, {"Authorization": f"Bearer {made.token}"}, apps, documents)
