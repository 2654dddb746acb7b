"""A hundred thousand rows: the lists stay indexed queries, in the index's own order."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from store import apps, session_list, sql
from store.db import is_postgres, reads, writes
from tests.world import World

MANY = 100_000


@writes
def fill(world: World) -> None:
    counted = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
    sql.change(
        "INSERT INTO apps (id, workspace_id, author_id, name, name_key, mode, description, status,"
        " enable_api,"
        f" access_mode, created_at, updated_at) {counted} SELECT 'many-' || i, ?, ?, 'App ' || i, 'app '"
        f" || i,"
        " 'workflow', '', 'normal', ?, 'private_all', i / 3, 0 FROM n",
        MANY, world.home.id, world.owner.id, True,
    )  # fmt: skip
    sql.change(
        "INSERT INTO sessions (id, token_hash, prefix, subject, account_id, email, issuer, client_id,"
        " device_label,"
        f" created_at, expires_at) {counted} SELECT 'many-' || i, 'hash ' || i, 'dfoa_', ?, ?, 'e', 'i',"
        f" 'c', 'l' || i,"
        " i / 3, 9000000000000000 FROM n",
        MANY, world.owner_caller.subject, world.owner.id,
    )  # fmt: skip
    sql.change("ANALYZE apps")
    sql.change("ANALYZE sessions")


def selects(monkeypatch: pytest.MonkeyPatch, call: Any) -> list[tuple[str, tuple[object, ...]]]:
    """Every SELECT that ``call`` makes, with its values."""
    seen: list[tuple[str, tuple[object, ...]]] = []
    real_row, real_rows = sql.row, sql.rows

    def row(statement: str, *values: object) -> sql.Row:
        seen.append((statement, values))
        return real_row(statement, *values)

    def rows(statement: str, *values: object) -> list[sql.Row]:
        seen.append((statement, values))
        return real_rows(statement, *values)

    monkeypatch.setattr(sql, "row", row)
    monkeypatch.setattr(sql, "rows", rows)
    call()
    monkeypatch.undo()
    assert seen
    return seen


@reads
def check_sqlite(statement: str, values: tuple[object, ...]) -> None:
    """Every table is searched by an index; only rows already chosen are sorted."""
    steps = [str(row[3]) for row in sql.rows("EXPLAIN QUERY PLAN " + statement, *values)]
    assert not [step for step in steps if step.startswith("SCAN") and "INDEX" not in step], steps
    sorts = [place for place, step in enumerate(steps) if "TEMP B-TREE" in step]
    if any("app_tags_by_name" in step for step in steps):
        return  # begins with the apps of one tag, and sorts those
    assert not sorts or ("LIST SUBQUERY" in " ".join(steps) and sorts == [len(steps) - 1]), steps


@reads
def check_postgres(statement: str, values: tuple[object, ...]) -> None:
    """A page is never chosen by reading or sorting a whole table (a count of nearly all rows may read it)."""
    if "LIMIT" not in statement:
        return
    plan = json.loads(sql.rows("EXPLAIN (FORMAT JSON) " + statement, *values)[0][0])
    nodes = list(walk(plan[0]["Plan"]))
    big = [node for node in nodes if node.get("Relation Name") in ("apps", "sessions")]
    assert "Seq Scan" not in [node["Node Type"] for node in big], nodes
    assert not [node for node in nodes if node["Node Type"] == "Sort" and node["Plan Rows"] > 1000], nodes


def walk(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", []):
        yield from walk(child)


def test_lists_of_a_hundred_thousand_neither_scan_nor_sort_the_table(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(world)
    caller = world.owner_caller
    for call in (
        lambda: apps.page(caller, world.home.id, page=3, limit=20),
        lambda: apps.page(caller, world.home.id, mode="workflow"),
        lambda: apps.page(caller, world.home.id, tag="demo"),
        lambda: apps.permitted(world.external_caller),
        lambda: apps.visible(caller, world.app.id),
        lambda: session_list.page(caller, 3, 20),
    ):
        for statement, values in selects(monkeypatch, call):
            (check_postgres if is_postgres() else check_sqlite)(statement, values)
    assert apps.page(caller, world.home.id)[1] == MANY + 2
    assert session_list.page(caller, 1, 20)[1] == MANY + 1
