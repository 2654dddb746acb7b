"""The state every server of a benchmark reads: one account, one workspace, 10,000 apps, a token."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "summarise.yml"
CHATFLOW = EXAMPLE.with_name("ask.yml")


@dataclass(frozen=True)
class World:
    """What requests need to know."""

    database: Path
    token: str
    workspace_id: str
    app_id: str
    chatflow_id: str
    slow_id: str


def build(folder: Path, apps: int) -> World:
    """Make the database; ``apps`` of them in one workspace."""
    import store
    import store.accounts
    import store.apps
    import store.sessions
    import store.workspaces
    from engine.definition import reading as definition

    database = folder / "bench.db"
    store.open(f"sqlite:///{database}")
    owner = store.accounts.create("bench@example.com", "Bench", "correct horse")
    workspace = store.workspaces.create("Bench", owner.id)
    made = []
    chatflow = CHATFLOW.read_text(encoding="utf-8")
    # A model that waits this long keeps its run open, so that whoever follows it is idle.
    slow = chatflow.replace("completion_params: {}", "completion_params: {delay_ms: 120000}")
    for source in (EXAMPLE.read_text(encoding="utf-8"), chatflow, slow):
        loaded = definition.load(source.encode())
        one = store.apps.create(
            workspace.id,
            owner.id,
            name=loaded.name,
            mode=loaded.mode,
            description=loaded.description,
            definition=loaded.document,
            source=source,
            tags=["bench"],
        )
        store.apps.publish(one.id)
        made.append(one.id)
    tiny = {"mode": "workflow", "graph": {"nodes": [], "edges": []}, "features": {}}
    for number in range(apps - len(made)):
        store.apps.create(
            workspace.id,
            owner.id,
            name=f"App {number}",
            mode="workflow",
            description="",
            definition=tiny,
            source="",
            tags=[],
        )
    token, _ = store.sessions.mint(
        account_id=owner.id,
        email=owner.email,
        issuer=None,
        client_id="difyspec",
        device_label="bench",
        ttl=timedelta(days=1),
    )
    store.close()
    return World(database, token, workspace.id, *made)
