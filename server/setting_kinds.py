"""The kinds of values that settings take: how each is read from text, and what it must be.

Each check raises ValueError with what to give instead.
"""

from __future__ import annotations

import json
import re
from email.utils import parseaddr
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, SecretStr, ValidationInfo
from pydantic_settings import NoDecode

from engine.forms import mail_config
from engine.models.table import load_table


def _split(value: Any) -> Any:
    """A list as it is written in the environment: with commas, or as JSON as other programs have it."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        return json.loads(value)
    return [word.strip() for word in value.split(",") if word.strip()] if isinstance(value, str) else value


def _networks(value: Any) -> list[Any]:
    return [ip_network(item, strict=False) if isinstance(item, str) else item for item in _split(value)]


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def _origins(value: list[str]) -> list[str]:
    for origin in value:
        parts = urlsplit(origin)
        if origin != "*" and (not parts.netloc or origin != f"{parts.scheme}://{parts.netloc}"):
            raise ValueError("each origin is scheme://host[:port] with nothing after it, for example https://app.test")
    return value


def _models_file(value: Path | None) -> Path | None:
    # An empty variable means the same as none.
    value = None if value == Path() else value
    load_table(value, "")
    return value


def _default_model(value: str, info: ValidationInfo) -> str:
    load_table(info.data.get("models_file"), value)
    return value


def _public(value: str) -> str:
    if value and (urlsplit(value).scheme not in ("http", "https") or not urlsplit(value).netloc):
        raise ValueError("must start with http:// or https:// and name a host, for example https://dify.test")
    return value.rstrip("/")


def _database(value: str) -> str:
    if value and not value.startswith(("sqlite:///", "postgresql://", "postgres://")):
        raise ValueError("must be sqlite:///path or postgresql://user:password@host:port/name")
    return value


def _redis(value: str | None) -> str | None:
    if value and not value.startswith(("redis://", "rediss://")):
        raise ValueError("must be redis://host:port/number")
    return value or None


def _storage(value: str) -> str:
    if value and (urlsplit(value).scheme != "s3" or not urlsplit(value).netloc):
        raise ValueError("must be s3://bucket or s3://bucket/prefix, or empty")
    return value.rstrip("/")


def _sender(value: str) -> str:
    address = parseaddr(value)[1]
    if value and (not re.fullmatch(r"[^\s@]+@[^\s@]+", address) or not value.isprintable()):
        raise ValueError("must be an e-mail address, such as forms@dify.test or Forms <forms@dify.test>")
    return value


def _smtp(value: SecretStr, info: ValidationInfo) -> SecretStr:
    if value.get_secret_value():
        mail_config.read(value.get_secret_value(), "")
        if not info.data.get("mail_from"):
            raise ValueError("needs DIFYSPEC_MAIL_FROM, the sender of the mails")
    return value


def _credentials(value: SecretStr) -> SecretStr:
    try:
        found = json.loads(value.get_secret_value() or "{}")
    except ValueError:
        found = None
    if not isinstance(found, dict) or not all(isinstance(one, str) for one in found.values()):
        raise ValueError('must be a JSON object of texts, such as {"weather": "key"}')
    return value


Words = Annotated[list[str], NoDecode, BeforeValidator(_split)]
Origins = Annotated[Words, AfterValidator(_origins)]
Networks = Annotated[list[IPv4Network | IPv6Network], NoDecode, BeforeValidator(_networks)]
LogLevel = Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(_lower)]
PublicUrl = Annotated[str, AfterValidator(_public)]
DatabaseUrl = Annotated[str, AfterValidator(_database)]
RedisUrl = Annotated[str | None, AfterValidator(_redis)]
Storage = Annotated[str, AfterValidator(_storage)]
ModelsFile = Annotated[Path | None, AfterValidator(_models_file)]
DefaultModel = Annotated[str, AfterValidator(_default_model)]  # stands after ``models_file``
Sender = Annotated[str, AfterValidator(_sender)]
SmtpUrl = Annotated[SecretStr, AfterValidator(_smtp)]  # stands after ``mail_from``
Credentials = Annotated[SecretStr, AfterValidator(_credentials)]
