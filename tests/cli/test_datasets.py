"""Datasets from the command line: made, filled, asked and deleted as an operator does it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.test_commands import Shell


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    made = Shell(tmp_path)
    made("accounts", "create", "ada@example.com")
    return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "docs"
    (made / "more").mkdir(parents=True)
    (made / "visit.md").write_text("# Hours\nThe museum opens at nine.\n")
    (made / "more" / "prices.csv").write_text("what,price\nticket,12\nguide,5\n")
    (made / "picture.png").write_bytes(b"\x89PNG")
    return made


def test_a_dataset_is_made_filled_asked_and_deleted(shell: Shell, folder: Path) -> None:
    (made,) = shell.rows("datasets", "create", "Visitors", "--for", "foreign-1")
    assert (made["name"], made["documents"], made["also"]) == ("Visitors", 0, "foreign-1")
    assert [(r["document"], r["segments"]) for r in shell.rows("datasets", "import", "foreign-1", str(folder))] == [
        ("more/prices.csv", 2),
        ("visit.md", 1),
    ]
    (hit,) = shell.rows("datasets", "search", "visitors", "When does the museum open?")
    assert (hit["document"], hit["content"]) == ("visit.md", "Hours\n\nThe museum opens at nine.")
    assert shell.rows("datasets", "list")[0]["segments"] == 3
    assert "deleted" in shell("datasets", "delete", "Visitors", "--document", "visit.md", "--yes")
    assert [r["document"] for r in shell.rows("datasets", "list", "Visitors")] == ["more/prices.csv"]
    assert "deleted" in shell("datasets", "delete", "Visitors", "--yes")
    assert shell.rows("datasets", "list") == []


def test_a_further_id_is_added_to_a_dataset_that_is_there(shell: Shell) -> None:
    shell("datasets", "create", "Visitors")
    assert shell.rows("datasets", "create", "visitors", "--for", "b", "--for", "a")[0]["also"] == "a, b"
    assert "already" in shell("datasets", "create", "VISITORS", code=1)


def test_one_document_that_cannot_be_read_stores_nothing(shell: Shell, folder: Path) -> None:
    shell("datasets", "create", "Visitors")
    said = shell("datasets", "import", "Visitors", str(folder / "visit.md"), str(folder / "picture.png"), code=1)
    assert "picture.png: documents are read from .csv" in said
    (folder / "empty.txt").write_text("  \n")
    assert "empty.txt: has no text" in shell("datasets", "import", "Visitors", str(folder), code=1)
    assert shell.rows("datasets", "list", "Visitors") == []


def test_what_is_not_there_is_named(shell: Shell) -> None:
    assert "no dataset 'None'" in shell("datasets", "search", "None", "x", code=1)
    assert "no workspace 'w'" in shell("datasets", "list", "--workspace", "w", code=1)
