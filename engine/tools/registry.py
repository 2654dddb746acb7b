"""Finding a tool by the names that app definitions use for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from engine.tools import jsons, maths, texts, times, web_page
from engine.tools.tool import Tool, ToolContext

BUILT_IN: tuple[Tool, ...] = (*times.TOOLS, *maths.TOOLS, *jsons.TOOLS, *texts.TOOLS, *web_page.TOOLS)
_BY_NAME = {(tool.provider, tool.name): tool for tool in BUILT_IN}
# Names that older exports use.
_ALSO = {
    ("json_process", "json_parse"): ("json_process", "parse"),
    ("builtin", "json_parse"): ("json_process", "parse"),
    ("builtin", "current_time"): ("time", "current_time"),
    ("json_process", "replace"): ("json_process", "json_replace"),
    ("json_process", "delete"): ("json_process", "json_delete"),
}

Custom = Callable[[str, str, str], Tool | None]


def built_in(provider_id: str, tool_name: str) -> Tool | None:
    """Return a tool of the server's own. Newer exports write ``langgenius/time/time`` for ``time``."""
    key = (provider_id.rsplit("/", 1)[-1], tool_name)
    return _BY_NAME.get(_ALSO.get(key, key))


@dataclass(frozen=True)
class Toolbox:
    """The tools of one run; ``custom`` finds an imported API's by provider id, provider name and tool name."""

    context: ToolContext
    custom: Custom

    def find(self, provider_id: str, provider_name: str, tool_name: str) -> Tool | None:
        """Return a tool or None."""
        own = built_in(provider_id or provider_name, tool_name)
        return own if own is not None else self.custom(provider_id, provider_name, tool_name)


def missing(provider: str, tool_name: str) -> str:
    """Return what to tell an author whose tool is not here."""
    return (
        f"The tool '{tool_name}' of '{provider}' is not on this server. `difyspec tools list` shows those that are; "
        f"`difyspec tools import FILE --name {_word(provider)}` adds one from an OpenAPI document"
    )


def _word(provider: str) -> str:
    last = provider.rsplit("/", 1)[-1]
    return last if last and not any(letter.isspace() for letter in last) else f"'{last}'"
