"""Datasets from the command line: made, filled, asked and deleted as an operator does it."""

from __future__ import annotations

import io
from pathlib import Path

import openpyxl
import pytest
from pypdf import PdfWriter

from tests.cli.test_commands import Shell
from tests.engine.test_documents import pdf, word


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
    assert (made["name"], made["documents"], made["also"]) == ("Visitors", 0, ["foreign-1"])
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
    assert shell.rows("datasets", "create", "visitors", "--for", "b", "--for", "a")[0]["also"] == ["a", "b"]
    assert "already" in shell("datasets", "create", "VISITORS", code=1)


def test_one_document_that_cannot_be_read_stores_nothing(shell: Shell, folder: Path) -> None:
    shell("datasets", "create", "Visitors")
    said = shell("datasets", "import", "Visitors", str(folder / "visit.md"), str(folder / "picture.png"), code=1)
    assert "picture.png: documents are read from .csv" in said
    (folder / "empty.txt").write_text("  \n")
    assert "empty.txt: has no text" in shell("datasets", "import", "Visitors", str(folder), code=1)
    assert shell.rows("datasets", "list", "Visitors") == []


def test_documents_of_an_office_are_taken_in_and_one_that_is_locked_is_named(shell: Shell, tmp_path: Path) -> None:
    shell("datasets", "create", "Office")
    made = tmp_path / "office"
    made.mkdir()
    book, locked = openpyxl.Workbook(), PdfWriter(io.BytesIO(pdf()))
    book.active.append(["what", "price"])
    book.active.append(["ticket", 12])
    book.save(made / "prices.xlsx")
    (made / "bees.docx").write_bytes(word())
    (made / "dance.pdf").write_bytes(pdf("The waggle dance."))
    (made / "hours.json").write_text('{"opens": "nine"}')
    rows = shell.rows("datasets", "import", "Office", str(made))
    assert [(r["document"], r["segments"]) for r in rows] == [
        ("bees.docx", 3), ("dance.pdf", 1), ("hours.json", 1), ("prices.xlsx", 1),
    ]  # fmt: skip
    for question, name, text in (
        ("waggle", "dance.pdf", "The waggle dance."),
        ("ticket price", "prices.xlsx", "what: ticket\nprice: 12"),
        ("hum", "bees.docx", "They hum."),
        ("opens", "hours.json", '{\n  "opens": "nine"\n}'),
    ):
        hit = shell.rows("datasets", "search", "Office", question)[0]
        assert (hit["document"], hit["content"]) == (name, text)
    locked.encrypt("secret")
    locked.write(made / "locked.pdf")
    said = shell("datasets", "import", "Office", str(made), code=1)
    assert "nothing was imported:\n  locked.pdf: The PDF is protected by a password" in said


def test_what_is_not_there_is_named(shell: Shell) -> None:
    assert "no dataset 'None'" in shell("datasets", "search", "None", "x", code=1)
    assert "no workspace 'w'" in shell("datasets", "list", "--workspace", "w", code=1)
