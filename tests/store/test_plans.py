"""A hundred thousand rows: the lists stay indexed queries, in the index's own order."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from store import apps, forms, leases, mails, session_list, sql
from store.db import is_postgres, reads, writes
from tests.world import World

MANY = 100_000
GROWING = ("runs", "forms", "mails", "events", "f")
OPEN_ONLY = ("INDEX forms_due", "INDEX runs_unfinished", "INDEX mails_due")


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
    sql.change(
        "INSERT INTO runs (id, task_id, app_id, version_id, mode, subject, session_id, status, inputs, elapsed,"
        " total_tokens, total_steps, exceptions_count, stop_requested, created_at, finished_at, worker, lease_until)"
        f" {counted} SELECT 'many-' || i, 'task ' || i, ?, 'v', 'workflow', ?, 's', 'succeeded', '{{}}', 0, 0, 0, 0,"
        " ?, i / 3, i, 'gone', 0 FROM n",
        MANY, world.app.id, world.owner_caller.subject, False,
    )  # fmt: skip
    sql.change(
        "INSERT INTO forms (id, run_id, app_id, execution_id, node_id, status, definition, created_at, expires_at,"
        f" decided_at) {counted} SELECT 'many-' || i, 'many-' || i, ?, 'e', 'n', 'submitted', '{{}}', i, i, i FROM n",
        MANY, world.app.id,
    )  # fmt: skip
    sql.change("ANALYZE apps")
    for table in ("sessions", "runs", "forms"):
        sql.change(f"ANALYZE {table}")


def statements(monkeypatch: pytest.MonkeyPatch, call: Any) -> list[tuple[str, tuple[object, ...]]]:
    """Every statement that ``call`` makes, with its values."""
    seen: list[tuple[str, tuple[object, ...]]] = []
    real_row, real_rows, real_change = sql.row, sql.rows, sql.change

    def change(statement: str, *values: object) -> int:
        seen.append((statement, values))
        return real_change(statement, *values)

    def row(statement: str, *values: object) -> sql.Row:
        seen.append((statement, values))
        return real_row(statement, *values)

    def rows(statement: str, *values: object) -> list[sql.Row]:
        seen.append((statement, values))
        return real_rows(statement, *values)

    monkeypatch.setattr(sql, "row", row)
    monkeypatch.setattr(sql, "rows", rows)
    monkeypatch.setattr(sql, "change", change)
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
        for statement, values in statements(monkeypatch, call):
            (check_postgres if is_postgres() else check_sqlite)(statement, values)
    assert apps.page(caller, world.home.id)[1] == MANY + 2
    assert session_list.page(caller, 1, 20)[1] == MANY + 1


def test_what_a_start_and_every_look_after_runs_asks_does_not_grow_with_what_is_over(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(world)
    for call in (
        leases.lapsed,
        leases.workers,
        lambda: leases.free(10),
        lambda: leases.held("here"),
        lambda: leases.renew("here", {"many-1", "many-2"}, 30),
        lambda: leases.release_queued("here"),
        lambda: forms.due(3600),
        forms.orphaned,
        mails.claim,
    ):
        for statement, values in statements(monkeypatch, call):
            if not statement.startswith("INSERT"):
                (looks_at_few_on_postgres if is_postgres() else looks_at_few_on_sqlite)(statement, values)


@reads
def looks_at_few_on_sqlite(statement: str, values: tuple[object, ...]) -> None:
    """Of the tables that only grow, none is read but by an index; a scan of one that has only open rows is none."""
    steps = [str(row[3]) for row in sql.rows("EXPLAIN QUERY PLAN " + statement, *values)]
    scans = [step for step in steps if step.startswith("SCAN") and any(name in step.split() for name in GROWING)]
    assert not [step for step in scans if not step.endswith(OPEN_ONLY)], (statement, steps)


@reads
def looks_at_few_on_postgres(statement: str, values: tuple[object, ...]) -> None:
    """No table that only grows is read as a whole."""
    plan = json.loads(sql.rows("EXPLAIN (FORMAT JSON) " + statement, *values)[0][0])
    for node in walk(plan[0]["Plan"]):
        assert node["Node Type"] != "Seq Scan" or node["Relation Name"] not in ("runs", "forms"), (statement, node)
