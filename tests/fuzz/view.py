"""The contract as schemathesis reads it: its 3.2 view, which also tells the payload of each event."""

from __future__ import annotations

import os
import tomllib
from collections import defaultdict
from collections.abc import Collection
from pathlib import Path
from typing import Any

import schemathesis
from schemathesis import Case

from contract import VIEW_32, load
from tests.fuzz.cases import COOKIES, PLACEHOLDER

EXAMPLES = int(os.environ.get("DIFYSPEC_FUZZ_EXAMPLES", "100"))
SEED = int(os.environ.get("DIFYSPEC_FUZZ_SEED", "1"))
# A story is a walk of so many steps, so it costs what as many examples cost.
STEPS = 10
STORIES = max(1, EXAMPLES // 4)
CONFIG = Path(__file__).with_name("schemathesis.toml")
OPERATIONS: dict[str, dict[str, Any]] = {
    operation["operationId"]: operation for path in load(VIEW_32)["paths"].values() for operation in path.values()
}


class Credentials:
    """A bearer, or the page's cookie, as ``security`` asks. Requests are generated before there is a server to
    sign in at, so this says only where the credential goes; ``Steering`` puts a live one there.
    """

    def get(self, case: Case, context: Any) -> str | None:
        """The name of the security scheme, if the operation has one."""
        security = case.operation.definition.raw["security"]
        return next(iter(security[0])) if security else None

    def set(self, case: Case, data: str, context: Any) -> None:
        """Put the placeholder where the scheme wants the credential."""
        if data in COOKIES:
            case.cookies[COOKIES[data]] = PLACEHOLDER
        else:
            case.headers["Authorization"] = f"Bearer {PLACEHOLDER}"


def schema(app: Any = None, only: Collection[str] = ()) -> Any:
    """The whole contract for ``app`` (None: reached over HTTP), or the operations with these ids."""
    settings: dict[str, Any] = tomllib.loads(CONFIG.read_text(encoding="utf-8"))
    settings |= {"seed": SEED, "generation": {"max-examples": EXAMPLES}}
    if only:
        settings["operations"].insert(0, {"exclude-operation-id": sorted(only), "enabled": False})
    found = schemathesis.openapi.from_path(VIEW_32, config=schemathesis.Config.from_dict(settings))
    found.app = app
    found.auth(refresh_interval=None)(Credentials)
    return found


def stories() -> dict[str, set[str]]:
    """The operations of each tag, and with them those that a link joins to them: what one answers, another needs.
    A tag that no link touches has no stories.
    """
    found: dict[str, set[str]] = defaultdict(set)
    for name, operation in OPERATIONS.items():
        for answer in operation["responses"].values():
            for link in answer.get("links", {}).values():
                other = link["operationId"]
                for tag in (operation["tags"][0], OPERATIONS[other]["tags"][0]):
                    found[tag] |= {name, other}
    return {tag: names | {n for n, o in OPERATIONS.items() if o["tags"] == [tag]} for tag, names in found.items()}
