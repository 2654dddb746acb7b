"""The configuration: ``DIFYSPEC_<NAME>`` in the environment, or a line in ``.env``, and what follows from it.

A value that cannot be used stops the start and says which setting it was, what was given (secrets hidden) and
what to give instead.
"""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import Any

from pydantic import ValidationError

import store
from engine.files.kinds import FileLimits
from engine.forms import mail_config
from engine.forms.mail_config import MailConfig
from engine.models.table import Bounds, ModelTable, load_table
from server.setting_table import SettingTable

SECRET_NAMES = ("secret", "credentials", "password", "token_key", "api_key", "database_url", "redis_url",
                "smtp_url")  # fmt: skip
KEY_FILE, OLD_KEY_FILE = "secret.key", "secret.key.old"


class Settings(SettingTable):
    """The settings, and what the server makes of them."""

    @property
    def file_folder(self) -> Path:
        """Where files are kept without S3, and where uploads are collected."""
        return self.data_dir / "files"

    @property
    def file_limits(self) -> FileLimits:
        """What uploads and runs admit, and what describe tells."""
        return FileLimits(
            image=self.upload_image_file_size_limit,
            video=self.upload_video_file_size_limit,
            audio=self.upload_audio_file_size_limit,
            other=self.upload_file_size_limit,
            count=self.workflow_file_upload_limit,
            blocked=frozenset(word.lower().lstrip(".") for word in self.upload_file_extension_blacklist),
        )

    def model_table(self) -> ModelTable:
        """Which model answers for the ones that apps name."""
        bounds = Bounds(self.model_silence_seconds, self.model_answer_seconds, self.model_answer_bytes)
        return load_table(self.models_file, self.default_model, bounds)

    @property
    def mail(self) -> MailConfig | None:
        """Where mails are handed in; None sends none."""
        url = self.smtp_url.get_secret_value()
        return mail_config.read(url, self.mail_from) if url else None

    def credentials_of_tools(self) -> dict[str, str]:
        """The keys of imported APIs, by name."""
        found: dict[str, str] = json.loads(self.tool_credentials.get_secret_value() or "{}")
        return found

    @property
    def store_url(self) -> str:
        """The database in use: ``database_url``, or SQLite in ``data_dir``."""
        return self.database_url or f"sqlite:///{(self.data_dir / 'difyspec.db').absolute()}"

    @property
    def store_limits(self) -> store.Limits:
        """What the server may take of the database, and how long it waits."""
        return store.Limits(
            connections=self.database_connections,
            wait_seconds=self.database_wait_seconds,
            statement_seconds=self.database_statement_seconds,
            waiting_writers=max(1, self.request_threads // 4),
        )

    @property
    def base_url(self) -> str:
        """Where people reach the server, without a trailing slash."""
        if self.public_url:
            return self.public_url
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::", "") else self.host  # noqa: S104
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    def secret(self) -> str:
        """The server's secret: the setting, or one made on first use and kept in ``data_dir`` (mode 0600)."""
        given = self.secret_key.get_secret_value()
        if given:
            return given
        kept = self.data_dir / KEY_FILE
        self.data_dir.mkdir(parents=True, exist_ok=True)
        try:
            with open(kept, "x", opener=_private) as file:
                file.write(secrets.token_urlsafe(32))
        except FileExistsError:
            pass
        return kept.read_text().strip()

    def old_secrets(self) -> tuple[str, ...]:
        """Secrets from before the key was changed, which still open what they sealed."""
        given = self.secret_key_old.get_secret_value()
        kept = self.data_dir / OLD_KEY_FILE
        if not self.secret_key.get_secret_value() and kept.exists():
            given = given or kept.read_text().strip()
        return (given,) if given and given != self.secret() else ()

    def new_key_file(self) -> bool:
        """Put a new key into ``data_dir``, and the present one beside it; False where a change is under way already,
        or the key is a setting. Whenever this is cut off, no key is lost.
        """
        key, old = self.data_dir / KEY_FILE, self.data_dir / OLD_KEY_FILE
        if self.secret_key.get_secret_value() or self.old_secrets():
            return False
        _put(old, self.secret())
        _put(key, secrets.token_urlsafe(32))
        return True

    def forget_old_key_file(self) -> bool:
        """Delete the old key in ``data_dir``; False if there is none."""
        old = self.data_dir / OLD_KEY_FILE
        is_there = old.exists()
        old.unlink(missing_ok=True)
        return is_there


def _put(file: Path, text: str) -> None:
    """Write a file whole or not at all, for its owner only."""
    fresh = file.with_name(file.name + ".tmp")
    with open(fresh, "w", opener=_private) as opened:
        opened.write(text)
        opened.flush()
        os.fsync(opened.fileno())
    fresh.replace(file)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


class SettingsError(Exception):
    """The configuration cannot be used; the text names each setting, the value and the fix."""


def load(**overrides: Any) -> Settings:
    """The settings from the environment, ``.env`` and ``overrides`` (which win). Raises ``SettingsError``."""
    try:
        return Settings(**overrides)
    except ValidationError as error:
        raise SettingsError("\n".join(_tell(item) for item in error.errors())) from None


def _tell(item: Any) -> str:
    name = str(item["loc"][0]).lower().removeprefix("difyspec_") if item["loc"] else "settings"
    given = "(hidden)" if any(secret in name for secret in SECRET_NAMES) else repr(item["input"])
    field = Settings.model_fields.get(name)
    meaning = f" ({field.description})" if field and field.description else ""
    reason = item["msg"].removeprefix("Value error, ")
    return f"DIFYSPEC_{name.upper()} = {given} cannot be used: {reason}.{meaning}"
