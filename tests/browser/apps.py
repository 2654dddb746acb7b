"""Apps for the browser's stories, and short ways to try them in a page."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, expect

import store.accounts
import store.apps
import store.workspaces
from engine.definition import reading as definition
from tests.browser.conftest import EMAIL
from tests.engine import graphs

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def add(document: dict[str, Any], name: str = "Trial", **more: Any) -> str:
    """Publish a definition as an app of Ada's; its address."""
    ada = store.accounts.by_email(EMAIL)
    assert ada is not None
    workspace = store.workspaces.default_id(ada.id)
    assert workspace is not None
    app = store.apps.create(
        workspace, ada.id, name=name, mode=document["mode"], definition=document, source="", **more
    )  # fmt: skip
    store.apps.publish(app.id)
    return f"/apps/{app.id}"


def example(name: str) -> str:
    """Publish one of the examples; its address."""
    found = definition.load((EXAMPLES / f"{name}.yml").read_bytes())
    return add(found.document, found.name, description=found.description, tags=["example"])


def start(**variables: dict[str, Any]) -> dict[str, Any]:
    """A start node with variables by name."""
    declared = [{"variable": name, "label": name.title(), **about} for name, about in variables.items()]
    return graphs.node("start", "start", variables=declared)


def line(first: dict[str, Any], *middle: dict[str, Any], result: list[str]) -> dict[str, Any]:
    """A workflow of nodes in a row, with one output."""
    nodes = [first, *middle, graphs.end(result=result)]
    edges = [graphs.edge(one["id"], other["id"]) for one, other in pairwise(nodes)]
    return graphs.document(nodes, edges)


def wordy(words: int, delay_ms: int) -> dict[str, Any]:
    """A workflow whose model says numbered words, slowly."""
    return line(start(), graphs.llm("write", "go", delay_ms=delay_ms, chunks=words), result=["write", "text"])


def said(words: int) -> str:
    """What such a model has said at the end."""
    return "".join(f"w{number} " for number in range(words))


def press(page: Page, name: str) -> None:
    """Press a button of the app's form."""
    page.locator("#ask").get_by_role("button", name=name, exact=True).click()


def ends(page: Page, state: str = "succeeded") -> None:
    """Wait until the run that the page shows has ended that way."""
    expect(page.locator("#state")).to_have_attribute("data-state", state)
