"""Documents that are packages: PDF, Word, Excel, and others that are XML in a zip file."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from typing import Any

from defusedxml import DefusedXmlException, ElementTree

from engine.documents.texts import Unreadable, from_html, table

MAX_ENTRIES = 10_000
MAX_UNPACKED = 200 * 1024 * 1024
_LINES = ("}p", "}h", "}list-item")


def from_pdf(content: bytes) -> str:
    """The text of each page, in order; a scanned page has none."""
    from pypdf import PdfReader
    from pypdf.errors import PyPdfError

    try:
        reader = PdfReader(io.BytesIO(content))
        if reader.is_encrypted and not reader.decrypt(""):
            raise Unreadable("The PDF is protected by a password")
        return "\n".join(page.extract_text() for page in reader.pages)
    except PyPdfError as error:
        raise Unreadable(f"The PDF cannot be read: {error}") from None


def from_docx(content: bytes) -> str:
    """Paragraphs and tables, in order; a table as Markdown."""
    from docx import Document
    from docx.table import Table

    _check_zip(content)
    try:
        document = Document(io.BytesIO(content))
        parts = []
        for item in document.iter_inner_content():
            if isinstance(item, Table):
                parts.append(table([cell.text for cell in row.cells] for row in item.rows))
            else:
                parts.append(item.text)
    except (KeyError, ValueError, zipfile.BadZipFile) as error:
        raise Unreadable(f"The Word document cannot be read: {error}") from None
    return "\n".join(parts)


def from_sheets(content: bytes) -> str:
    """Each sheet that holds something as a Markdown table, under its name where there are several."""
    from python_calamine import CalamineError, CalamineWorkbook

    if content.startswith(b"PK"):
        _check_zip(content)
    try:
        book = CalamineWorkbook.from_filelike(io.BytesIO(content))
        sheets = [(name, table(_cells(book.get_sheet_by_name(name)))) for name in book.sheet_names]
    except CalamineError as error:
        raise Unreadable(f"The workbook cannot be read: {error}") from None
    filled = [(name, text) for name, text in sheets if text]
    if len(filled) == 1:
        return filled[0][1]
    return "\n\n".join(f"{name}\n{text}" for name, text in filled)


def from_slides(content: bytes) -> str:
    """The text of each slide, in order."""
    with _check_zip(content) as package:
        names = [name for name in package.namelist() if name.startswith("ppt/slides/slide") and name.endswith(".xml")]
        names.sort(key=lambda name: (len(name), name))
        return "\n\n".join("\n".join(_paragraphs(package.read(name))) for name in names)


def from_odt(content: bytes) -> str:
    """The paragraphs of an OpenDocument text."""
    with _check_zip(content) as package:
        return "\n".join(_paragraphs(package.read("content.xml")))


def from_epub(content: bytes) -> str:
    """The chapters of a book, in the order of its package."""
    with _check_zip(content) as package:
        container = _xml(package.read("META-INF/container.xml"))
        root = next(item for item in container.iter() if item.tag.endswith("}rootfile")).attrib["full-path"]
        folder = root.rpartition("/")[0]
        book = _xml(package.read(root))
        files = {item.attrib["id"]: item.attrib["href"] for item in book.iter() if item.tag.endswith("}item")}
        order = [item.attrib["idref"] for item in book.iter() if item.tag.endswith("}itemref")]
        names = [f"{folder}/{files[name]}".lstrip("/") for name in order if name in files]
        return "\n\n".join(from_html(package.read(name)) for name in names)


def _cells(sheet: Any) -> Iterator[list[object]]:
    for row in sheet.iter_rows():
        # Numbers are floating in the file; a whole one is shown as people write it.
        yield [int(cell) if isinstance(cell, float) and cell.is_integer() else cell for cell in row]


def _check_zip(content: bytes) -> zipfile.ZipFile:
    """A small file can unfold to gigabytes: what it says of itself is added up before anything is unpacked."""
    try:
        package = zipfile.ZipFile(io.BytesIO(content))
    except zipfile.BadZipFile:
        raise Unreadable("The file is not what its name says: it is no package") from None
    entries = package.infolist()
    if len(entries) > MAX_ENTRIES or sum(entry.file_size for entry in entries) > MAX_UNPACKED:
        raise Unreadable("The file unfolds to more than this server reads")
    return package


def _xml(text: bytes) -> Any:
    try:
        return ElementTree.fromstring(text)
    except DefusedXmlException:
        raise Unreadable("The document cannot be read: it defines entities of its own") from None
    except ElementTree.ParseError as error:
        raise Unreadable(f"The document cannot be read: {error}") from None


def _paragraphs(xml: bytes) -> Iterator[str]:
    for item in _xml(xml).iter():
        if item.tag.endswith(_LINES) and (text := "".join(item.itertext()).strip()):
            yield text
