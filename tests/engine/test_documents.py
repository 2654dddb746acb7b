"""The text of documents: what is read of each kind, and that a file made to do harm ends as a node's error."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import docx
import openpyxl
import pytest
from pypdf import PdfWriter

from engine.documents.pool import KINDS, DocumentReader, DocumentRefused
from engine.documents.texts import decoded
from engine.documents.worker import READERS
from engine.running.cancel import Cancelled, CancelToken
from tests.engine.conftest import Bench
from tests.engine.graphs import node
from tests.engine.test_files import flow, local, one_file, upload
from tests.engine.tripped import TrippedAtWork

PAGE = """<html><head><title>No</title><style>p {}</style></head><body><h1>Bees</h1><script>alert(1)</script>
<p>They <b>dance</b> &amp; hum.</p><table><tr><td>a</td><td>b</td></tr></table></body></html>"""
ODT = '<d xmlns:t="t"><t:h>Bees</t:h><t:p>They <t:s/>dance</t:p></d>'


@pytest.fixture(scope="module")
def reader() -> DocumentReader:
    return DocumentReader(seconds=30, memory_bytes=512 * 1024 * 1024, limit=100_000)


def package(**parts: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for name, text in parts.items():
            file.writestr(name, text)
    return out.getvalue()


def word() -> bytes:
    document, out = docx.Document(), io.BytesIO()
    document.add_paragraph("Bees dance.")
    table = document.add_table(rows=2, cols=2)
    for place, text in enumerate(("name", "legs", "bee", "6")):
        table.cell(place // 2, place % 2).text = text
    document.add_paragraph("They hum.")
    document.save(out)
    return out.getvalue()


def workbook() -> bytes:
    book, out = openpyxl.Workbook(), io.BytesIO()
    for row in (["name", "legs"], ["bee", 6], [None, None]):
        book.active.append(row)
    book.create_sheet("Empty")
    book.save(out)
    return out.getvalue()


def pdf(text: str = "Bees dance.", **more: Any) -> bytes:
    """A page with a line of text, written by hand as the format's introduction does it."""
    stream = f"BT /F1 24 Tf 9 9 Td ({text}) Tj ET"
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        "<< /Type /Page /Parent 2 0 R /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> /MediaBox [0 0 99 99] >>",
        f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    out, offsets = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n".encode()
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    start = len(out)
    out += f"xref\n0 6\n0000000000 65535 f \n{table}trailer\n<< /Size 6 /Root 1 0 R >>\n".encode()
    return out + f"startxref\n{start}\n%%EOF".encode()


def slides() -> bytes:
    line = '<p:sld xmlns:p="p" xmlns:a="a"><a:p><a:r><a:t>{}</a:t></a:r></a:p></p:sld>'
    return package(**{f"ppt/slides/slide{n}.xml": line.format(f"Slide {n}") for n in (1, 2, 10)})


def book() -> bytes:
    return package(**{
        "META-INF/container.xml": '<c xmlns="c"><rootfile full-path="OEBPS/b.opf"/></c>',
        "OEBPS/b.opf": '<p xmlns="p"><item id="b" href="b.html"/><item id="a" href="a.html"/>'
        '<itemref idref="a"/><itemref idref="b"/></p>',
        "OEBPS/a.html": "<p>First</p>", "OEBPS/b.html": "<p>Second</p>",
    })  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "content", "text"),
    [
        ("txt", "Bees — dansent".encode(), "Bees — dansent"),
        ("txt", "Bees".encode("utf-16"), "Bees"),
        ("txt", "Grüße aus München, schöne Bücher für größere Städte".encode("latin-1"), "München"),
        ("md", b"# Bees\n\n- dance", "# Bees\n\n- dance"),
        ("csv", b"name;legs\nbee;6\n;\n", "| name | legs |\n| --- | --- |\n| bee | 6 |"),
        ("json", b'{"bee":{"legs":6}}', '{\n  "bee": {\n    "legs": 6\n  }\n}'),
        ("html", PAGE.encode(), "Bees\nThey dance & hum.\na | b"),
        ("pdf", pdf(), "Bees dance."),
        ("docx", word(), "Bees dance.\n| name | legs |\n| --- | --- |\n| bee | 6 |\nThey hum."),
        ("xlsx", workbook(), "| name | legs |\n| --- | --- |\n| bee | 6 |"),
        ("pptx", slides(), "Slide 1\n\nSlide 2\n\nSlide 10"),
        ("odt", package(**{"content.xml": ODT}), "Bees\nThey dance"),
        ("epub", book(), "First\n\nSecond"),
        ("eml", b"From: a@b.c\nSubject: Bees\n\nThey dance.\n", "From: a@b.c\nSubject: Bees\n\nThey dance."),
        ("txt", b"", ""),
    ],
    ids=lambda value: value if isinstance(value, str) and value.isalpha() else "",
)  # fmt: skip
def test_each_kind_of_document_gives_its_text(reader: DocumentReader, kind: str, content: bytes, text: str) -> None:
    found = reader.text([content], kind, CancelToken())
    assert text in found if "München" in text else found.strip() == text


def test_every_reader_can_be_asked() -> None:
    assert READERS.keys() <= KINDS


def _bomb() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for number in range(30):
            file.writestr(f"word/{number}.xml", b"\x00" * 10_000_000)
    return out.getvalue()


def _entities() -> str:
    lines = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    return f'<!DOCTYPE d [<!ENTITY e0 "x">{lines}]><d><p>&e11;</p></d>'


def _encrypted() -> bytes:
    """With a string that begins like UTF-16: behind the fence it must be possible to read it so."""
    made = b""
    while b"<00" not in made:
        writer, out = PdfWriter(), io.BytesIO()
        writer.add_blank_page(100, 100)
        writer.encrypt("secret", algorithm="RC4-128")
        writer.write(out)
        made = out.getvalue()
    return made


@pytest.mark.parametrize(
    ("kind", "content", "told"),
    [
        ("docx", _bomb(), "unfolds to more"),
        ("xlsx", package(**{f"{n}": "" for n in range(10_001)}), "unfolds to more"),
        ("docx", b"no zip at all", "no package"),
        ("docx", package(a="b"), "cannot be read"),
        ("docx", package(**{"[Content_Types].xml": "<"}), "^The document cannot be read: it is damaged"),
        ("odt", package(**{"content.xml": _entities()}), "it defines entities of its own$"),
        ("epub", package(a="b"), "it is damaged, or not what its name says$"),
        ("pdf", b"%PDF-1.4 and nothing else", "cannot be read"),
        ("pdf", _encrypted(), "password"),
        ("xlsx", package(a="b"), "cannot be read"),
        ("json", b"[" * 1_000_000, "is nested too deeply$"),
        ("json", b"1" * 5000, "A number in the JSON of the file is too long$"),
        ("json", b"{", "not valid JSON"),
        ("txt", b"x" * 100_001, "longer than 100000 characters"),
        ("exe", b"MZ", "cannot be read as a document; these can: txt, md, csv"),
        ("", b"x", "Files without an extension"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_document_that_cannot_be_read_says_why(reader: DocumentReader, kind: str, content: bytes, told: str) -> None:
    with pytest.raises(DocumentRefused, match=told):
        reader.text([content], kind, CancelToken())


def test_a_reader_that_is_taken_over_finds_no_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker whose reader is replaced by the attacker's: nothing of the host opens, and greed ends it."""
    canary = tmp_path / "canary"
    canary.write_text("canary")
    canary.chmod(0o644)
    tmp_path.chmod(0o755)
    root = Path(__file__).parents[2]
    source = (root / "engine/documents/worker.py").read_text()
    evil = f"""
def _evil(content):
    import os, socket
    told = [repr(dict(os.environ))]
    for name, attempt in {{
        "file": lambda: open({str(canary)!r}).read(), "socket": lambda: socket.socket(),
        "process": lambda: os.fork(), "memory": lambda: bytearray(10**9),
    }}.items():
        try:
            told.append(f"{{name}} passed {{attempt()}}")
        except (OSError, MemoryError) as error:
            told.append(f"{{name}} {{type(error).__name__}}")
    return "\\n".join(told)
READERS["txt"] = _evil
import socket
"""
    script = tmp_path / "worker.py"
    source = source.replace("Path(__file__).parents[2]", f"Path({str(root)!r})")
    script.write_text(source.replace('if __name__ == "__main__":', evil + '\nif __name__ == "__main__":'))
    monkeypatch.setattr("engine.documents.pool.WORKER", script)
    reader = DocumentReader(seconds=30, memory_bytes=512 * 1024 * 1024, limit=100_000)
    told = reader.text([b""], "txt", CancelToken()).split("\n")
    assert told[1:] == [
        "file PermissionError",
        "socket PermissionError",
        "process PermissionError",
        "memory MemoryError",
    ]
    assert "PATH" not in told[0]


def test_reading_ends_with_its_time_and_with_its_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "worker.py"
    script.write_text("import time; time.sleep(1_000_000)")
    monkeypatch.setattr("engine.documents.pool.WORKER", script)
    slow = DocumentReader(seconds=0.5, memory_bytes=1, limit=1)
    with pytest.raises(DocumentRefused, match="longer than 0\\.5 seconds"):
        slow.text([b""], "txt", CancelToken())
    patient = DocumentReader(seconds=1_000_000, memory_bytes=1, limit=1)
    with pytest.raises(Cancelled):
        patient.text([b""], "txt", TrippedAtWork())


def extractor(selector: list[str], **more: Any) -> dict[str, Any]:
    return node("read", "document-extractor", variable_selector=selector, **more)


def test_the_node_reads_one_file_into_a_text_and_a_list_into_a_list(bench: Bench) -> None:
    variables = [one_file(), {"variable": "docs", "type": "file-list", "label": "Docs"}]
    one = bench.app(flow(variables, extractor(["start", "doc"]), out={"text": ["read", "text"]}))
    many = bench.app(flow(variables, extractor(["start", "docs"]), out={"text": ["read", "text"]}))
    first = {"doc": local(upload(bench, one, "a.docx", word()))}
    assert "Bees dance." in bench.events(bench.start(one, first))[-1]["data"]["outputs"]["text"]
    inputs = {
        "doc": local(upload(bench, many)),
        "docs": [local(upload(bench, many)), local(upload(bench, many, "a.pdf", pdf()))],
    }
    texts = bench.events(bench.start(many, inputs))[-1]["data"]["outputs"]["text"]
    assert [text.strip() for text in texts] == ["Bees dance.", "Bees dance."]
    empty = bench.events(bench.start(many, {"doc": inputs["doc"], "docs": []}))[-1]["data"]["outputs"]
    assert empty == {"text": []}


def test_a_file_that_cannot_be_read_fails_the_node_with_the_reason(bench: Bench) -> None:
    app = bench.app(flow([one_file()], extractor(["start", "doc"]), out={"text": ["read", "text"]}))
    last = bench.events(bench.start(app, {"doc": local(upload(bench, app, "a.bin", b"x"))}))[-1]["data"]
    assert last["status"] == "failed"
    assert "'.bin' files cannot be read as a document" in last["error"]


def test_the_file_of_a_list_that_cannot_be_read_is_named(bench: Bench) -> None:
    variables = [{"variable": "docs", "type": "file-list", "label": "Docs"}]
    app = bench.app(flow(variables, extractor(["start", "docs"]), out={"text": ["read", "text"]}))
    docs = [local(upload(bench, app)), local(upload(bench, app, "b.pdf", b"%PDF-1.4 and nothing else"))]
    last = bench.events(bench.start(app, {"docs": docs}))[-1]["data"]
    assert last["error"].startswith("b.pdf: The PDF cannot be read")


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("héllo café", "latin-1"),
        ("Größe für Häuser – „fein“", "cp1252"),
        ("Пчёлы танцуют, чтобы показать дорогу к цветам.", "cp1251"),
        ("蜜蜂跳舞来告诉同伴花在哪里，每一次舞蹈都有它的含义。", "gb18030"),
    ],
)
def test_a_text_in_an_old_encoding_is_read(reader: DocumentReader, text: str, encoding: str) -> None:
    assert reader.text([text.encode(encoding)], "txt", CancelToken()) == text


@pytest.mark.parametrize("text", ["café", "n;v\n1;é\n", "Größe;Maß\n1;2", "x;€\n", "naïve déjà vu", "a,b\nü,ö"])
def test_a_few_accents_in_a_short_text_are_no_other_alphabet(text: str) -> None:
    assert decoded(text.encode("cp1252")) == text
