"""The command line as an operator uses it: real commands, a real database file."""

from __future__ import annotations

import io
import json
import re
import socket
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from server.cli import app, main
from server.commands.tables import drawn
from tests.engine.damage import KEYED, flow_of

ROOT = Path(__file__).resolve().parents[2]


class Shell:
    """Runs commands with one database."""

    def __init__(self, folder: Path) -> None:
        self.env = {
            "DATABASE_URL": f"sqlite:///{folder / 'cli.db'}",
            "DIFYSPEC_DATA_DIR": str(folder),
            "DIFYSPEC_PASSWORD": "correct horse",
        }
        self.runner = CliRunner()

    def __call__(self, *words: str, code: int = 0, **env: str) -> str:
        done = self.runner.invoke(app, list(words), env={**self.env, **env})
        assert done.exit_code == code, done.output
        return done.output

    def rows(self, *words: str) -> list[dict]:
        return json.loads(self(*words, "-o", "json"))


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


@pytest.fixture
def owner(shell: Shell) -> str:
    shell("accounts", "create", "ada@example.com")
    return "ada@example.com"


GROUPS = [
    (),
    ("accounts",),
    ("workspaces",),
    ("workspaces", "members"),
    ("tokens",),
    ("apps",),
    ("datasets",),
    ("models",),
    ("tools",),
    ("keys",),
    ("keys", "rotate"),
]


@pytest.mark.parametrize("words", [*GROUPS, ("tokens", "create"), ("demo",), ("serve",), ("worker",)])
def test_help_teaches_every_level_in_whole_sentences(shell: Shell, words: tuple[str, ...]) -> None:
    told = shell(*words, "--help", COLUMNS="80")
    assert "Usage" in told
    assert "..." not in told.partition("Commands:")[2]


def test_the_version_is_told(shell: Shell) -> None:
    assert re.fullmatch(r"difyspec \d+\.\d+\.\d+\n", shell("--version"))


def test_settings_are_told_as_values_and_as_set_or_not(shell: Shell) -> None:
    rows = {row["setting"]: row for row in shell.rows("check-config")}
    assert rows["DIFYSPEC_REDIS_URL"]["value"] is None
    assert rows["DIFYSPEC_KNOWN_CLIENT_IDS"]["value"] == ["difyctl", "difyspec"]
    assert rows["DIFYSPEC_DATA_DIR"]["set"]
    assert not rows["DIFYSPEC_PORT"]["set"]


def test_a_token_is_shown_once_and_listed_without_its_secret(shell: Shell, owner: str) -> None:
    token = shell("tokens", "create", owner).strip()
    assert token.startswith("dfoa_")
    listed = shell("tokens", "list", owner, "-o", "json")
    assert token not in listed
    assert len(json.loads(listed)) == 1


def test_an_external_subject_gets_a_token_without_an_account(shell: Shell) -> None:
    token = shell("tokens", "create", "guest@partner.example", "--external", "https://login.partner.example")
    assert token.startswith("dfoe_")


def test_the_examples_import_and_export_unchanged(shell: Shell, owner: str) -> None:
    rows = shell.rows("apps", "import", str(ROOT / "examples"))
    assert len(rows) == 7
    first = rows[0]
    assert shell("apps", "export", first["id"]) == Path(first["file"]).read_text(encoding="utf-8")


def test_one_bad_definition_stores_nothing_and_names_the_key(shell: Shell, owner: str, tmp_path: Path) -> None:
    bad = tmp_path / "bad.yml"
    bad.write_text("version: '0.6.0'\nkind: app\napp: {name: Broken, mode: workflow}\n")
    good = next(iter(sorted((ROOT / "examples").glob("*.yml"))))
    out = shell("apps", "import", str(good), str(bad), code=1)
    assert "bad.yml" in out
    assert "workflow" in out
    assert shell.rows("apps", "list") == []


def test_access_publish_and_delete(shell: Shell, owner: str) -> None:
    one = shell.rows("apps", "import", str(ROOT / "examples" / "ask.yml"))[0]["id"]
    shell("apps", "access", one, "public")
    assert shell.rows("apps", "list")[0]["access"] == "public"
    assert shell.rows("apps", "list")[0]["published"] is True
    shell("apps", "access", one, "nobody", code=2)
    shell("apps", "delete", one, "--yes")
    assert shell.rows("apps", "list") == []
    assert "there is no app" in shell("apps", "publish", one, code=1)


def test_a_banned_account_loses_its_tokens(shell: Shell, owner: str) -> None:
    shell("tokens", "create", owner)
    shell("accounts", "set-status", owner, "banned")
    assert shell.rows("tokens", "list", owner) == []


def test_a_bad_setting_is_named_with_its_fix(shell: Shell) -> None:
    out = shell("check-config", code=2, DIFYSPEC_TOKEN_TTL_DAYS="1000")
    assert "TOKEN_TTL_DAYS" in out.upper()


def test_the_journey_lists_its_stops_in_order(shell: Shell) -> None:
    stops = [row["stop"] for row in shell.rows("journey")]
    assert stops.index("body gate") < stops.index("route") < stops.index("who") < stops.index("do")


WEATHER = ROOT / "examples" / "tools" / "weather.yaml"


def test_an_api_becomes_tools_and_its_credential_is_kept_encrypted(shell: Shell, owner: str, tmp_path: Path) -> None:
    told = shell("tools", "import", str(WEATHER))
    assert "wants a credential (header)" in told
    shell("tools", "import", str(WEATHER), "--secret-env", "WEATHER_KEY", WEATHER_KEY="plain-weather-key")
    assert b"plain-weather-key" not in b"".join(file.read_bytes() for file in tmp_path.glob("cli.db*"))
    listed = {(row["provider"], row["tool"]): row["from"] for row in shell.rows("tools", "list")}
    assert listed["Weather", "getForecast"] == "GET https://weather.example.com/v1/places/{place}/forecast"
    assert listed["time", "current_time"] == "the server"
    assert "deleted" in shell("tools", "delete", "weather", "--yes")
    assert ("Weather", "getForecast") not in {(row["provider"], row["tool"]) for row in shell.rows("tools", "list")}


def test_an_api_that_cannot_be_imported_says_why(shell: Shell, owner: str, tmp_path: Path) -> None:
    swagger = tmp_path / "old.yaml"
    swagger.write_text("swagger: '2.0'")
    assert "Swagger 2.0" in shell("tools", "import", str(swagger), code=1)
    assert "come with the server" in shell("tools", "import", str(WEATHER), "--name", "time", code=2)
    assert "--auth-name" in shell("tools", "import", str(WEATHER), "--auth", "query", code=2)
    assert "is empty" in shell("tools", "import", str(WEATHER), "--secret-env", "NOTHING_HERE", code=2)
    assert "there is no imported API" in shell("tools", "delete", "weather", "--yes", code=1)


def test_an_id_is_printed_in_one_piece(shell: Shell, owner: str) -> None:
    imported = shell("apps", "import", str(ROOT / "examples"))
    assert [one["id"] for one in shell.rows("apps", "list") if one["id"] not in imported] == []


def test_a_terminal_too_narrow_for_a_table_gets_a_list_of_whole_words() -> None:
    rows = [
        {"id": "0" * 36, "mode": "advanced-chat", "access": "private_all", "published": True, "tags": ["a", "b"]}
    ] * 2
    for width, shown in ((120, "published"), (60, "private_all")):
        console = Console(width=width, file=io.StringIO())
        console.print(drawn(rows, width))
        lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
        assert all(any(word in line for line in lines) for word in ("0" * 36, "advanced-chat", shown, "yes", "a, b"))
        assert len(lines) == (3 if width == 120 else 11)


def test_a_model_without_a_name_is_told_as_such(shell: Shell, owner: str, tmp_path: Path) -> None:
    definition = tmp_path / "nameless.yml"
    definition.write_text(
        (ROOT / "examples" / "ask.yml").read_text().replace("provider: echo, name: echo", "provider: '', name: ''")
    )
    assert "(no model named) → echo (default)" in shell("apps", "import", str(definition))


@pytest.mark.parametrize("words", [("demo",), ("serve",), ("apps", "list")])
def test_a_folder_that_cannot_be_used_is_one_sentence(shell: Shell, tmp_path: Path, words: tuple[str, ...]) -> None:
    (tmp_path / "file").write_text("")
    out = shell(*words, code=1, DIFYSPEC_DATA_DIR=str(tmp_path / "file" / "data"))
    assert out.startswith(f"difyspec: cannot use the folder {tmp_path}/file/data (setting DIFYSPEC_DATA_DIR)")
    assert len(out.splitlines()) == 1


def test_a_folder_that_is_made_is_named_once(shell: Shell, tmp_path: Path) -> None:
    new = {"DIFYSPEC_DATA_DIR": str(tmp_path / "new")}
    assert shell("apps", "list", **new).startswith(
        f"difyspec: made the folder {tmp_path}/new (setting DIFYSPEC_DATA_DIR)"
    )
    assert "made" not in shell("apps", "list", **new)


@pytest.mark.parametrize("command", ["demo", "serve"])
def test_a_server_without_its_database_says_so_in_one_sentence(shell: Shell, command: str) -> None:
    out = shell(command, code=1, DATABASE_URL="postgresql://nobody@127.0.0.1:1/none")
    assert out.startswith("difyspec: cannot open the database (setting DATABASE_URL)")
    assert len(out.splitlines()) == 1


@pytest.mark.parametrize("command", ["demo", "serve"])
def test_a_port_that_is_taken_is_told_before_anything_starts(shell: Shell, command: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        out = shell(command, "--port", port, code=1)
    assert out == (
        f"difyspec: cannot listen on 127.0.0.1:{port}: Address already in use; --host and --port choose another\n"
    )


def test_an_import_before_there_is_an_account_says_how_to_make_one(shell: Shell) -> None:
    assert "difyspec accounts create" in shell("apps", "import", str(ROOT / "examples"), code=2)


def test_an_account_that_is_there_is_told_before_a_password_is_asked(shell: Shell, owner: str) -> None:
    assert "already" in shell("accounts", "create", owner, code=1, DIFYSPEC_PASSWORD="")
    assert "DIFYSPEC_PASSWORD" in shell("accounts", "create", "new@example.com", code=2, DIFYSPEC_PASSWORD="")


def test_an_account_needs_an_address(shell: Shell) -> None:
    assert "not an e-mail address" in shell("accounts", "create", "ada", code=2)
    assert shell.rows("accounts", "list") == []


def test_times_are_printed_in_utc(shell: Shell, owner: str) -> None:
    shell("tokens", "create", owner)
    assert re.search(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ", shell("tokens", "list", owner))


def test_an_import_names_the_datasets_that_are_missing(shell: Shell, owner: str, tmp_path: Path) -> None:
    definition = tmp_path / "ask.yml"
    nodes = (
        "      - {id: look, data: {type: knowledge-retrieval, title: Look, dataset_ids: [old-1],"
        " retrieval_mode: multiple, query_variable_selector: [sys, query], multiple_retrieval_config: {top_k: 2}}}\n"
        "    edges:"
    )
    definition.write_text((ROOT / "examples" / "ask.yml").read_text().replace("    edges:", nodes))
    told = shell("apps", "import", str(definition))
    assert "The dataset 'old-1' is not on this server: until `difyspec datasets create NAME --for old-1`" in told
    shell("datasets", "create", "Old", "--for", "old-1")
    assert "old-1" not in shell("apps", "import", str(definition))


def test_what_the_machine_refuses_is_one_sentence(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    def full() -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("server.cli.app", full)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    assert capsys.readouterr().err == "difyspec: No space left on device\n"


def test_a_worker_that_would_carry_out_nothing_says_so(shell: Shell) -> None:
    assert "DIFYSPEC_MAX_CONCURRENT_RUNS is 0" in shell("worker", code=2, DIFYSPEC_MAX_CONCURRENT_RUNS="0")


# Members


@pytest.fixture
def team(shell: Shell, owner: str) -> str:
    """A workspace of the owner, with another account beside it; its id."""
    shell("accounts", "create", "bob@example.com", "--name", "Bob", "--workspace", "")
    return str(shell.rows("workspaces", "list", owner)[0]["id"])


def roles(shell: Shell, team: str) -> dict[str, str]:
    return {row["email"]: row["role"] for row in shell.rows("workspaces", "members", "list", team)}


def test_members_are_added_given_a_role_and_removed(shell: Shell, owner: str, team: str) -> None:
    assert roles(shell, team) == {owner: "owner"}
    added = shell.rows("workspaces", "members", "add", team, "bob@example.com", "--role", "editor")
    assert added == [{"workspace_id": team, "email": "bob@example.com", "role": "editor"}]
    assert "no member" not in shell("workspaces", "members", "set-role", team, "BOB@example.com", "admin")
    assert list(roles(shell, team).items()) == [(owner, "owner"), ("bob@example.com", "admin")]
    assert "no member any more" in shell("workspaces", "members", "remove", team, "bob@example.com")
    assert roles(shell, team) == {owner: "owner"}
    assert shell.rows("workspaces", "list", "bob@example.com") == []
    assert "bob@example.com is normal" in shell("workspaces", "add-member", team, "bob@example.com")


@pytest.mark.parametrize("change", [("remove",), ("set-role", "normal")])
def test_the_owner_is_neither_removed_nor_given_another_role(
    shell: Shell, owner: str, team: str, change: tuple[str, ...]
) -> None:
    told = shell("workspaces", "members", change[0], team, owner, *change[1:], code=1)
    assert "a workspace needs its owner" in told
    assert roles(shell, team) == {owner: "owner"}


@pytest.mark.parametrize(
    ("words", "told", "code"),
    [
        (("add", "TEAM", "nobody@example.com"), "no account has the e-mail", 1),
        (("add", "TEAM", "ada@example.com"), "is a member already", 1),
        (("add", "TEAM", "bob@example.com", "--role", "owner"), "role is one of: admin, editor", 2),
        (("set-role", "TEAM", "bob@example.com", "king"), "role is one of: admin, editor", 2),
        (("set-role", "TEAM", "bob@example.com", "admin"), "bob@example.com is no member", 1),
        (("remove", "TEAM", "bob@example.com"), "is no member; `difyspec workspaces members list", 1),
        (("remove", "no-such-id", "bob@example.com"), "there is no workspace 'no-such-id'", 1),
        (("list", "no-such-id"), "there is no workspace 'no-such-id'", 1),
    ],
)
def test_what_cannot_be_done_to_members_is_told_with_what_to_do(
    shell: Shell, owner: str, team: str, words: tuple[str, ...], told: str, code: int
) -> None:
    said = shell("workspaces", "members", *(team if word == "TEAM" else word for word in words), code=code)
    assert told in " ".join(said.split())


def test_a_workspace_is_archived_and_an_app_s_api_switched_off(shell: Shell, owner: str, team: str) -> None:
    shell("workspaces", "set-status", team, "archive")
    assert shell.rows("workspaces", "list", owner)[0]["status"] == "archive"
    shell("workspaces", "set-status", team, "normal")
    shell("workspaces", "set-status", team, "closed", code=2)
    assert "there is no workspace" in shell("workspaces", "set-status", "no-such-id", "archive", code=1)
    one = shell.rows("apps", "import", str(ROOT / "examples" / "ask.yml"), "--owner", owner)[0]["id"]
    assert "is off" in shell("apps", "api", one, "off")
    shell("apps", "api", one, "maybe", code=2)


@pytest.fixture
def keyed(shell: Shell, owner: str, tmp_path: Path) -> str:
    """An app with keys in its settings; the value is its id."""
    source = tmp_path / "keyed.json"
    source.write_text(json.dumps(flow_of("workflow", *KEYED)))
    done = shell("apps", "import", str(source), "-o", "json")
    return str(json.loads(done[done.index("[\n") : done.rindex("]") + 1])[0]["id"])


def test_an_export_has_secrets_only_when_they_are_asked_for(shell: Shell, keyed: str) -> None:
    plain, whole = shell("apps", "export", keyed), shell("apps", "export", keyed, "--secrets")
    for key in ("k-authorization", "k-header", "k-query", "k-agent", "s3cret-of-the-author"):
        assert (key in plain, key in whole) == (False, True)
    assert json.loads(whole) == flow_of("workflow", *KEYED)


def test_a_key_in_the_data_directory_is_changed_and_the_old_one_forgotten_when_nothing_needs_it(
    shell: Shell, keyed: str, tmp_path: Path
) -> None:
    key, old = tmp_path / "secret.key", tmp_path / "secret.key.old"
    first = key.read_text()
    told = shell("keys", "rotate")
    assert (key.read_text() != first, old.read_text()) == (True, first)
    assert "apps: 2 of 2" in told
    assert oct(key.stat().st_mode)[-3:] == oct(old.stat().st_mode)[-3:] == "600"
    second = key.read_text()
    shell("keys", "rotate")
    assert key.read_text() == second, "a change that is under way goes on with its key"
    assert all(row["under other keys"] == 0 for row in shell.rows("keys", "status"))
    assert "deleted" in shell("keys", "forget")
    assert not old.exists()
    assert "k-header" in shell("apps", "export", keyed, "--secrets")
    assert "no old key" in shell("keys", "forget")


def test_a_change_that_was_cut_off_between_its_two_files_loses_no_key(shell: Shell, keyed: str, tmp_path: Path) -> None:
    first = (tmp_path / "secret.key").read_text()
    (tmp_path / "secret.key.old").write_text(first)
    assert "k-header" in shell("apps", "export", keyed, "--secrets")
    shell("keys", "rotate")
    assert (tmp_path / "secret.key").read_text() != first
    assert "k-header" in shell("apps", "export", keyed, "--secrets")


def test_a_key_among_the_settings_is_changed_with_the_old_one_beside_it(
    shell: Shell, keyed: str, tmp_path: Path
) -> None:
    first, fresh = (tmp_path / "secret.key").read_text(), "f" * 32
    both = {"DIFYSPEC_SECRET_KEY": fresh, "DIFYSPEC_SECRET_KEY_OLD": first}
    assert "DIFYSPEC_SECRET_KEY_OLD" in shell("keys", "rotate", code=2, DIFYSPEC_SECRET_KEY=fresh)
    assert "import the app again" in shell("apps", "export", keyed, "--secrets", code=1, DIFYSPEC_SECRET_KEY=fresh)
    assert "k-header" in shell("apps", "export", keyed, "--secrets", **both)
    assert "2 are not sealed" in shell("keys", "forget", code=1, **both)
    shell("keys", "rotate", **both)
    assert "unset it" in shell("keys", "forget", **both)
    assert "k-header" in shell("apps", "export", keyed, "--secrets", DIFYSPEC_SECRET_KEY=fresh)
    assert "yet another one" in shell("keys", "rotate", code=1, DIFYSPEC_SECRET_KEY="x", DIFYSPEC_SECRET_KEY_OLD="y")
