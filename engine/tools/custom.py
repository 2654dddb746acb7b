"""The imported APIs of an app's workspace, as tools; credentials from the settings or from the store."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from engine.running.sealing import SealBroken, Sealer
from engine.tools.api import tools_of
from engine.tools.openapi import clean_name
from engine.tools.tool import Tool, ToolProblem
from store import tools


def finder(app_id: str, sealer: Sealer, credentials: Mapping[str, str]) -> Callable[[str, str, str], Tool | None]:
    """Return the function that finds an imported tool for a run of this app.

    ``credentials`` are the settings': by the API's name, in any case. They win over those given at import.
    """
    known: dict[tuple[str, str], dict[str, Tool]] = {}

    def find(provider_id: str, provider_name: str, tool_name: str) -> Tool | None:
        key = (provider_id, provider_name)
        if key not in known:
            provider = tools.for_worker_find(app_id, provider_id, provider_name)
            made: list[Tool] = []
            if provider is not None:
                secret = _secret(provider, sealer, credentials)
                made = tools_of(provider.name, provider.definition, secret)
            known[key] = {tool.name: tool for tool in made}
        return known[key].get(clean_name(tool_name))

    return find


def seal(secret_key: str, credential: str) -> str:
    """Return a credential as it is stored."""
    return Sealer(secret_key).seal(credential)


def _secret(provider: tools.Provider, sealer: Sealer, credentials: Mapping[str, str]) -> Callable[[], str]:
    def secret() -> str:
        given = {name.casefold(): value for name, value in credentials.items()}.get(provider.name.casefold())
        if given:
            return given
        if provider.sealed_credential is None:
            return ""
        try:
            return sealer.unseal(provider.sealed_credential)
        except SealBroken:
            raise ToolProblem(
                f"The credential of '{provider.name}' was stored under another secret key; import it again"
            ) from None

    return secret
