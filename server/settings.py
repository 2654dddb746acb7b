"""Every setting of the server, in one model: ``DIFYSPEC_<NAME>`` in the environment, or a line in ``.env``.

A value that cannot be used stops the start and says which setting it was, what was given (secrets hidden) and
what to give instead.
"""

from __future__ import annotations

import json
import os
import re
import secrets
from email.utils import parseaddr
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from engine import mail_config
from engine.file_kinds import FileLimits
from engine.mail_config import MailConfig
from engine.models.table import ModelTable, load_table

Words = Annotated[list[str], NoDecode]
SECRET_NAMES = ("secret", "credentials", "password", "token_key", "api_key", "database_url", "redis_url",
                "smtp_url")  # fmt: skip


class Settings(BaseSettings):
    """The whole configuration. Lists are written with commas."""

    model_config = SettingsConfigDict(
        env_prefix="DIFYSPEC_", env_file=".env", extra="ignore", validate_default=True, populate_by_name=True
    )

    data_dir: Path = Field(Path("difyspec-data"), description="folder of the database and the server's secret")
    database_url: str = Field(
        "",
        validation_alias=AliasChoices("DIFYSPEC_DATABASE_URL", "DATABASE_URL"),
        description="sqlite:///path or postgresql://user:password@host:port/name; empty: SQLite in data_dir",
    )
    redis_url: str | None = Field(
        None,
        validation_alias=AliasChoices("DIFYSPEC_REDIS_URL", "REDIS_URL"),
        description="redis://host:port/0 shares rate limits between processes; empty: memory",
    )
    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8000, ge=0, le=65535, description="port to listen on; 0 takes a free one")
    public_url: str = Field("", description="address people reach the server at; empty: http://host:port")
    secret_key: SecretStr = Field(SecretStr(""), description="encrypts secrets, signs links; empty: made once, in data_dir")
    token_ttl_days: int = Field(14, ge=1, le=365, description="life of a token in days")
    known_client_ids: Words = Field(["difyctl", "difyspec"], description="clients that may start a sign-in")
    rate_limits: bool = Field(True, description="false switches every rate limit off")
    rate_limit_per_token: int = Field(60, ge=0, le=1_000_000, description="requests a minute per token; 0: none")
    trusted_proxies: Annotated[list[IPv4Network | IPv6Network], NoDecode] = Field(
        [], description="networks whose X-Forwarded-For is believed"
    )
    cors_allow_origins: Words = Field([], description="origins of browser apps that may call the API")
    max_body_bytes: int = Field(1024 * 1024, ge=1024, le=1024**3, description="largest request body in bytes")
    body_timeout_seconds: float = Field(30, gt=0, le=3600, description="time a request body may take to arrive")
    mail_from: str = Field("", description="sender of mails that bring a form's link, as name@host or Name <name@host>")
    smtp_url: SecretStr = Field(
        SecretStr(""),
        description="smtp://user:password@host:587 or smtps://…:465 mails forms; empty: none are sent",
    )
    file_storage: str = Field("", description="s3://bucket/prefix (AWS_* variables say where); empty: data_dir/files")
    upload_file_size_limit: int = Field(15, ge=1, le=1024, description="largest file in MB, unless another limit fits")
    upload_image_file_size_limit: int = Field(10, ge=1, le=1024, description="largest image in MB")
    upload_video_file_size_limit: int = Field(100, ge=1, le=1024, description="largest video in MB")
    upload_audio_file_size_limit: int = Field(50, ge=1, le=1024, description="largest audio file in MB")
    workflow_file_upload_limit: int = Field(10, ge=1, le=100, description="most files of one input of a run")
    upload_quota_mb: int = Field(1000, ge=0, description="MB that a person's unused uploads may take; 0: no limit")
    upload_file_extension_blacklist: Words = Field([], description="extensions that are refused, without dots")
    upload_timeout_seconds: float = Field(600, gt=0, le=86400, description="time an upload may take to arrive")
    files_access_timeout: int = Field(3600, ge=10, le=31_536_000, description="life of a link to a file in seconds")
    file_unused_hours: int = Field(24, ge=1, le=8760, description="hours after which an unused upload is deleted")
    file_keep_days: int = Field(0, ge=0, le=36500, description="days that used files are kept; 0: for good")
    request_threads: int = Field(40, ge=1, le=1000, description="threads for handlers that touch the database")
    shutdown_seconds: int = Field(10, ge=0, le=600, description="time open requests get when the server stops")
    allowed_outbound_hosts: Words = Field([], description="private hosts that HTTP nodes may call")
    tool_credentials: SecretStr = Field(
        SecretStr(""), description='keys of imported APIs by their names, as JSON: {"weather": "key"}'
    )
    allow_private_addresses: bool = Field(False, description="true lets HTTP nodes call any private address")
    max_execution_seconds: float = Field(1200, gt=0, le=86400, description="longest run in seconds")
    max_execution_steps: int = Field(500, ge=1, le=100_000, description="most node executions of one run")
    code_seconds: float = Field(10, gt=0, le=600, description="longest run of one code node in seconds")
    code_memory_mb: int = Field(256, ge=64, le=8192, description="most memory of one code node in MB")
    max_run_bytes: int = Field(64 * 1024**2, ge=1024, le=1024**3, description="most bytes of all events of one run")
    form_days: float = Field(7, gt=0, le=3650, description="longest time a form waits, whatever its node says")
    sweep_seconds: float = Field(5, ge=0.5, le=3600, description="how often late forms and lost runs are looked for")
    checkpoint_seconds: float = Field(
        5, ge=0, le=86400, description="a run is kept for a restart this often, between two nodes; 0: only at pauses"
    )
    release_seconds: float = Field(
        3, ge=0, le=600, description="time running nodes get to finish when the server stops"
    )
    lease_seconds: float = Field(
        30, ge=2, le=3600, description="a server that is silent for so long loses its runs to another one"
    )
    max_concurrent_runs: int = Field(128, ge=1, le=10_000, description="runs executed at the same time")
    models_file: Path | None = Field(None, description="table of models (docs/models.md); empty: echo answers for all")
    default_model: str = Field(
        "", description="back end for models that fit no rule: echo, openai, local, or NAME/MODEL"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="least level that is logged")
    access_log: bool = Field(True, description="a line for each request")
    log_format: Literal["auto", "console", "json"] = Field("auto", description="auto: console on a terminal")

    @field_validator(
        "known_client_ids",
        "cors_allow_origins",
        "allowed_outbound_hosts",
        "upload_file_extension_blacklist",
        mode="before",
    )
    @classmethod
    def _words(cls, value: Any) -> Any:
        return _split(value)

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _networks(cls, value: Any) -> list[Any]:
        return [ip_network(item, strict=False) if isinstance(item, str) else item for item in _split(value)]

    @field_validator("log_level", mode="before")
    @classmethod
    def _lower(cls, value: Any) -> Any:
        return value.lower() if isinstance(value, str) else value

    @field_validator("cors_allow_origins")
    @classmethod
    def _origins(cls, value: list[str]) -> list[str]:
        for origin in value:
            parts = urlsplit(origin)
            if origin != "*" and (not parts.netloc or origin != f"{parts.scheme}://{parts.netloc}"):
                raise ValueError(
                    "each origin is scheme://host[:port] with nothing after it, for example https://app.test"
                )
        return value

    @field_validator("models_file", "default_model")
    @classmethod
    def _models(cls, value: Any, info: ValidationInfo) -> Any:
        # An empty variable means the same as none.
        value = None if value == Path() else value
        path = value if info.field_name == "models_file" else info.data.get("models_file")
        load_table(path, value if info.field_name == "default_model" else "")
        return value

    @field_validator("public_url")
    @classmethod
    def _public(cls, value: str) -> str:
        if value and (urlsplit(value).scheme not in ("http", "https") or not urlsplit(value).netloc):
            raise ValueError("must start with http:// or https:// and name a host, for example https://dify.test")
        return value.rstrip("/")

    @field_validator("database_url")
    @classmethod
    def _database(cls, value: str) -> str:
        if value and not value.startswith(("sqlite:///", "postgresql://", "postgres://")):
            raise ValueError("must be sqlite:///path or postgresql://user:password@host:port/name")
        return value

    @field_validator("redis_url")
    @classmethod
    def _redis(cls, value: str | None) -> str | None:
        if value and not value.startswith(("redis://", "rediss://")):
            raise ValueError("must be redis://host:port/number")
        return value or None

    @field_validator("file_storage")
    @classmethod
    def _storage(cls, value: str) -> str:
        if value and (urlsplit(value).scheme != "s3" or not urlsplit(value).netloc):
            raise ValueError("must be s3://bucket or s3://bucket/prefix, or empty")
        return value.rstrip("/")

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
        return load_table(self.models_file, self.default_model)

    @field_validator("mail_from")
    @classmethod
    def _sender(cls, value: str) -> str:
        address = parseaddr(value)[1]
        if value and (not re.fullmatch(r"[^\s@]+@[^\s@]+", address) or not value.isprintable()):
            raise ValueError("must be an e-mail address, such as forms@dify.test or Forms <forms@dify.test>")
        return value

    @field_validator("smtp_url")
    @classmethod
    def _smtp(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        if value.get_secret_value():
            mail_config.read(value.get_secret_value(), "")
            if not info.data.get("mail_from"):
                raise ValueError("needs DIFYSPEC_MAIL_FROM, the sender of the mails")
        return value

    @property
    def mail(self) -> MailConfig | None:
        """Where mails are handed in; None sends none."""
        url = self.smtp_url.get_secret_value()
        return mail_config.read(url, self.mail_from) if url else None

    @field_validator("tool_credentials")
    @classmethod
    def _credentials(cls, value: SecretStr) -> SecretStr:
        try:
            found = json.loads(value.get_secret_value() or "{}")
        except ValueError:
            found = None
        if not isinstance(found, dict) or not all(isinstance(one, str) for one in found.values()):
            raise ValueError('must be a JSON object of texts, such as {"weather": "key"}')
        return value

    def credentials_of_tools(self) -> dict[str, str]:
        """The keys of imported APIs, by name."""
        found: dict[str, str] = json.loads(self.tool_credentials.get_secret_value() or "{}")
        return found

    @property
    def store_url(self) -> str:
        """The database in use: ``database_url``, or SQLite in ``data_dir``."""
        return self.database_url or f"sqlite:///{(self.data_dir / 'difyspec.db').absolute()}"

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
        kept = self.data_dir / "secret.key"
        self.data_dir.mkdir(parents=True, exist_ok=True)
        try:
            with open(kept, "x", opener=_private) as file:
                file.write(secrets.token_urlsafe(32))
        except FileExistsError:
            pass
        return kept.read_text().strip()


def _split(value: Any) -> Any:
    return [word.strip() for word in value.split(",") if word.strip()] if isinstance(value, str) else value


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
