"""Settings come from the environment; a bad one stops the start and says how to mend it."""

from __future__ import annotations

import re
import stat
from pathlib import Path

import pytest

from server.settings import Settings, SettingsError, load


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("DIFYSPEC_PORT", "99999", "DIFYSPEC_PORT = '99999'"),
        ("DIFYSPEC_TOKEN_TTL_DAYS", "0", "DIFYSPEC_TOKEN_TTL_DAYS"),
        ("DIFYSPEC_TOKEN_TTL_DAYS", "366", "DIFYSPEC_TOKEN_TTL_DAYS"),
        ("DIFYSPEC_TRUSTED_PROXIES", "10.0.0.0/8,proxy", "'proxy'"),
        ("DIFYSPEC_ALLOWED_OUTBOUND_HOSTS", "[a.test]", "DIFYSPEC_ALLOWED_OUTBOUND_HOSTS"),
        ("DIFYSPEC_CORS_ALLOW_ORIGINS", "https://app.test/", "scheme://host"),
        ("DIFYSPEC_PUBLIC_URL", "dify.test", "https://dify.test"),
        ("DIFYSPEC_LOG_LEVEL", "loud", "DIFYSPEC_LOG_LEVEL"),
        ("DATABASE_URL", "mysql://root:hunter2@db/x", "postgresql://"),
        ("REDIS_URL", "http://x:hunter2@y", "redis://host:port"),
        ("DIFYSPEC_SMTP_URL", "http://x:hunter2@y", "smtp://user:password@host:port"),
        ("DIFYSPEC_SMTP_URL", "smtp://x:hunter2@y", "DIFYSPEC_MAIL_FROM"),
        ("DIFYSPEC_MAIL_FROM", "nobody", "forms@dify.test"),
    ],
)
def test_a_bad_value_is_told_with_its_name_and_the_fix(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, told: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as error:
        load(_env_file=None)
    assert told in str(error.value)
    assert "hunter2" not in str(error.value)


def test_all_bad_values_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIFYSPEC_PORT", "x")
    monkeypatch.setenv("DIFYSPEC_MAX_BODY_BYTES", "1")
    with pytest.raises(SettingsError) as error:
        load(_env_file=None)
    assert len(str(error.value).splitlines()) == 2


def test_the_database_is_read_from_either_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    assert load(_env_file=None, data_dir=tmp_path).store_url == f"sqlite:///{tmp_path}/difyspec.db"
    monkeypatch.setenv("DATABASE_URL", "postgresql://a:b@c:1/d")
    assert load(_env_file=None).store_url == "postgresql://a:b@c:1/d"
    monkeypatch.setenv("DIFYSPEC_DATABASE_URL", "sqlite:///own.db")
    assert load(_env_file=None).store_url == "sqlite:///own.db"


def test_the_mail_server_is_read_with_its_password_and_its_usual_port(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load(_env_file=None).mail is None
    monkeypatch.setenv("DIFYSPEC_MAIL_FROM", "Forms <forms@dify.test>")
    monkeypatch.setenv("DIFYSPEC_SMTP_URL", "smtps://me%40x:p%2F@mail.test")
    mail = load(_env_file=None).mail
    assert mail is not None
    assert (mail.host, mail.port, mail.is_tls, mail.user, mail.password) == ("mail.test", 465, True, "me@x", "p/")


def test_lists_are_written_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIFYSPEC_KNOWN_CLIENT_IDS", "a, b")
    assert load(_env_file=None).known_client_ids == ["a", "b"]


def test_the_secret_is_made_once_and_kept_to_the_owner(tmp_path: Path) -> None:
    settings = load(_env_file=None, data_dir=tmp_path / "new")
    assert settings.secret() == settings.secret()
    assert len(settings.secret()) == 43
    assert stat.S_IMODE((tmp_path / "new" / "secret.key").stat().st_mode) == 0o600
    assert load(_env_file=None, data_dir=tmp_path, secret_key="given").secret() == "given"


def test_a_secret_does_not_show_in_the_settings_text() -> None:
    assert "hunter2" not in repr(load(_env_file=None, secret_key="hunter2"))


@pytest.mark.parametrize("written", ["a.test, b.test", '["a.test", "b.test"]'])
def test_a_list_is_read_with_commas_or_as_json(monkeypatch: pytest.MonkeyPatch, written: str) -> None:
    monkeypatch.setenv("DIFYSPEC_ALLOWED_OUTBOUND_HOSTS", written)
    assert load(_env_file=None).allowed_outbound_hosts == ["a.test", "b.test"]


BOUNDS = [name for name, field in Settings.model_fields.items() if "0: no limit" in (field.description or "")]


@pytest.mark.parametrize("name", BOUNDS)
def test_a_bound_is_on_unless_it_is_switched_off(name: str) -> None:
    assert getattr(load(_env_file=None), name) > 0
    assert getattr(load(_env_file=None, **{name: 0}), name) == 0


def test_no_bound_that_is_known_is_missing_above() -> None:
    assert len(BOUNDS) >= 20
    assert 0 < load(_env_file=None).database_connections <= 20


def limits_told() -> dict[str, tuple[str, str]]:
    """Default and value for off of each limit, as docs/operating.md has them."""
    text = (Path(__file__).parents[2] / "docs" / "operating.md").read_text()
    lines = (line for line in text.splitlines() if line.startswith("| `DIFYSPEC_"))
    rows = [cells for line in lines if len(cells := line.split(" | ")) == 4]
    return {
        name.lower(): (default, off)
        for names, defaults, off, _ in rows
        for name, default in zip(re.findall(r"DIFYSPEC_(\w+)", names), defaults.split(", "), strict=True)
    }


def test_the_documents_tell_each_limit_its_default_and_what_switches_it_off() -> None:
    told = limits_told()
    for name, (default, off) in told.items():
        field = Settings.model_fields[name]
        number, _, unit = default.partition(" ")
        if isinstance(field.default, bool):
            assert (default, off) == ("true", "false")
            continue
        assert float(number) * (1024**2 if unit == "MiB" else 1) == field.default, name
        assert (off == "0") == ("0: no limit" in str(field.description)), name
    assert set(BOUNDS) <= set(told)
