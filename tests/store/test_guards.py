"""Rules of the house that a reader could break without noticing, read from the source itself."""

from __future__ import annotations

import ast
import resource
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pony.orm
import pytest

import store
from store import accounts, db, sql
from store.refusal import Refusal
from tests import databases

ROOT = Path(__file__).parents[2]
FOLDERS = ("handlers", "server", "engine", "web", "contract", "store")


def modules(*folders: str) -> Iterator[tuple[Path, ast.AST]]:
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield path, ast.parse(path.read_text())


def test_nothing_in_the_store_is_asynchronous() -> None:
    kinds = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)
    found = [
        f"{path.name}:{node.lineno}"
        for path, tree in modules("store")
        for node in ast.walk(tree)
        if isinstance(node, kinds)
    ]
    assert found == []


def test_only_the_store_knows_pony() -> None:
    found = []
    for path, tree in modules(*[folder for folder in FOLDERS if folder != "store"]):
        for node in ast.walk(tree):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            found += [f"{path}:{name}" for name in names if name.split(".")[0] == "pony"]
    assert found == []


def test_the_store_imports_nothing_else_of_ours() -> None:
    ours = set(FOLDERS) - {"store"}
    found = []
    for path, tree in modules("store"):
        for node in ast.walk(tree):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            found += [f"{path.name}:{name}" for name in names if name.split(".")[0] in ours]
    assert found == []


def test_a_coroutine_cannot_be_given_a_session() -> None:
    async def lost() -> None: ...

    with pytest.raises(TypeError):
        db.writes(lost)
    with pytest.raises(TypeError):
        db.reads(lost)


@contextmanager
def full_disk() -> Iterator[None]:
    """No file of this process can grow."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_thread_whose_connection_begins_on_a_full_disk_gets_a_whole_one_later(tmp_path: Path) -> None:
    store.open(databases.fresh_sqlite(tmp_path))
    how_safe = db.reads(lambda: sql.row("PRAGMA synchronous"))
    db.database().disconnect()  # while nobody is connected, whoever connects makes the files of the log
    try:
        with ThreadPoolExecutor(1) as thread:
            with full_disk(), pytest.raises(Refusal) as refused:
                thread.submit(how_safe).result()
            assert refused.value.code == "service_unavailable"
            assert thread.submit(how_safe).result() == (1,), "prepared as the other threads' are"
    finally:
        store.close()


def test_a_full_disk_makes_the_database_unavailable_and_it_recovers(tmp_path: Path) -> None:
    store.open(databases.fresh_sqlite(tmp_path))
    try:
        with full_disk(), pytest.raises(Refusal) as refused:
            accounts.create("a@example.com", "A")
        assert (refused.value.code, refused.value.status) == ("service_unavailable", 503)
        assert accounts.by_email("a@example.com") is None
        accounts.create("a@example.com", "A")
        with pytest.raises(pony.orm.OperationalError):  # a mistake of ours is no fault of the database
            db.reads(lambda: sql.rows("SELECT nothing FROM nowhere"))()
    finally:
        store.close()
