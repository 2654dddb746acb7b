"""The few settings that answers depend on, handed in once when the server is built."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from store.attempts import Attempts
from store.code_guesses import CodeGuesses


@dataclass(frozen=True, slots=True)
class Config:
    """``public_url``: scheme and host people reach us by, without a trailing slash.

    ``token_ttl``: life of a minted token. ``known_client_ids``: who may start a device sign-in.
    ``system_parameters``: upload limits told by ``describe``. ``server_version``: ours, not the API's level.
    ``address_of``: the client's address of a request's ASGI scope, behind the proxies that are trusted.
    ``code_guesses``: counts wrong user codes. ``most_open_codes``: device codes that wait at one time; 0: any number.
    """

    public_url: str = "http://127.0.0.1:8000"
    token_ttl: timedelta = timedelta(days=14)
    known_client_ids: frozenset[str] = frozenset({"difyctl", "difyspec"})
    system_parameters: Mapping[str, int] = field(
        default_factory=lambda: {
            "image_file_size_limit": 10,
            "video_file_size_limit": 100,
            "audio_file_size_limit": 50,
            "file_size_limit": 15,
            "workflow_file_upload_limit": 10,
        }
    )
    server_version: str = "0.1.0"
    address_of: Callable[[Any], str] = lambda scope: (scope.get("client") or ("",))[0]
    code_guesses: CodeGuesses = field(default_factory=lambda: CodeGuesses(Attempts(), {}))
    most_open_codes: int = 0


_current = Config()


def configure(config: Config) -> None:
    """Make ``config`` the one every handler reads. Called once, before the first request."""
    global _current
    _current = config


def current() -> Config:
    """The settings in force."""
    return _current
