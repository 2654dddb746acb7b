"""What an imported app needs and does not find here: datasets and tools."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def missing(app_id: str, document: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each dataset and each tool that a stored definition names and its workspace lacks."""
    return [*_datasets(app_id, document), *_tools(app_id, document)]


def _datasets(app_id: str, document: Mapping[str, Any]) -> list[str]:
    import store.datasets
    from engine.knowledge.named import datasets_of, how_to_add

    return [
        f"The dataset '{name}' is not on this server: until `{how_to_add(name)}` has added it, "
        "looking something up in it fails."
        for name in datasets_of(document)
        if store.datasets.of_app(app_id, name) is None
    ]


def _tools(app_id: str, document: Mapping[str, Any]) -> list[str]:
    from engine.running.sealing import Sealer
    from engine.tools.custom import finder
    from engine.tools.named import tools_of
    from engine.tools.registry import built_in

    # Only looked for, never called: no credential is needed.
    imported = finder(app_id, Sealer(""), {})
    return [
        f"The tool '{one.tool_name}' of '{one.provider}' is not on this server: until `difyspec tools import` has "
        "added it, it fails when it is reached."
        for one in tools_of(document)
        if built_in(one.provider_id or one.provider_name, one.tool_name) is None and imported(*one) is None
    ]
