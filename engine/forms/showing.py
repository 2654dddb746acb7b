"""What is shown of a form that waits."""

from __future__ import annotations

import json
from typing import Any

from engine.files import service as files
from store import runs as rows
from store.forms import Form


def definition(form: Form) -> dict[str, Any]:
    """What a form asks, as it is shown now: it may wait for longer than the links in its texts open a file."""
    told = form.definition
    texts = {name: told[name] for name in ("form_content", "resolved_default_values")}
    written = json.dumps(texts)
    if not files.current().links.has_old(written):
        return told
    run = rows.begun(form.run_id)
    return {**told, **json.loads(files.current().relinked(written, run, run.app_id))}


def shown(form: Form) -> dict[str, Any]:
    """Return what is told of a form that waits (contract: ``HumanInputForm``)."""
    told = definition(form)
    return {
        "form_content": told["form_content"],
        "inputs": told["inputs"],
        "resolved_default_values": told["resolved_default_values"],
        "user_actions": told["actions"],
        "expiration_time": told["expiration_time"],
    }
