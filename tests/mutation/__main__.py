"""``python -m tests.mutation``: try the stored sample of mutants, or (``draw``) store a new one."""

from __future__ import annotations

import argparse
import compileall
import json
import py_compile
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from contract import ROOT
from tests.mutation import sample
from tests.mutation.mutants import Mutant

ENOUGH = 85
LEFT = shutil.ignore_patterns(".*", "__pycache__", "node_modules", "results", "difyspec-data")
KILLED = ("killed", "hung")
DRAW = "uv run --group mutation python -m tests.mutation draw"
GONE = "gone"
Result = tuple[str, Any, str, float]


def main() -> int:
    """Print a row for each module and what survived; 1 when too few are killed or a survivor is not explained."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("act", nargs="?", choices=["run", "draw"], default="run")
    parser.add_argument("--each", type=int, default=sample.EACH, help="only the first so many of each module")
    parser.add_argument("--only", action="append", default=[], help="a module's name, or `planted`")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--log", type=Path, help="a file for one line of JSON per mutant")
    asked = parser.parse_args()
    if asked.act == "draw":
        sample.redraw()
        return 0
    with tempfile.TemporaryDirectory(prefix="mutation-") as folder, ThreadPoolExecutor(asked.workers) as pool:
        shares = range(asked.workers)
        found = [one for part in pool.map(lambda share: _share(Path(folder), share, asked), shares) for one in part]
    if asked.log:
        asked.log.write_text("".join(json.dumps(one) + "\n" for one in found), encoding="utf-8")
    return _report(found)


def _share(folder: Path, share: int, asked: argparse.Namespace) -> list[Result]:
    tree = folder / str(share)
    shutil.copytree(ROOT, tree, ignore=LEFT)
    # By content: a change that comes within a second of another is not taken for it.
    compileall.compile_dir(tree, quiet=2, invalidation_mode=py_compile.PycInvalidationMode.CHECKED_HASH)
    numbers = map(str, (share, asked.workers, asked.each))
    command = [sys.executable, "-m", "tests.mutation.work", *numbers, *asked.only]
    found: list[Result] = []
    with subprocess.Popen(command, cwd=tree, stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout
        for line in worker.stdout:
            found.append(json.loads(line))
            print(line, end="", file=sys.stderr, flush=True)
    if worker.returncode:
        raise SystemExit(f"worker {share} broke")
    return found


def _report(found: list[Result]) -> int:
    counts: dict[str, Counter[str]] = {}
    for name, _, became, _ in found:
        counts.setdefault(name, Counter())[became] += 1
    total = sum(counts.values(), Counter())
    print(f"{'module':40} mutants  killed  (hung)  survived  gone  score")
    for name, row in (*counts.items(), ("all", total)):
        killed, every = sum(row[one] for one in KILLED), row.total()
        print(
            f"{name:40} {every:7} {killed:7} {row['hung']:7} {row['survived']:9} {row['gone']:5}  {_score(row):3.0f} %"
        )
    known, unexplained, edited = sample.explained(), 0, False
    for name, change, became, _ in found:
        is_drawn = isinstance(change, list)
        if became in KILLED:
            continue
        if became == GONE and is_drawn:
            edited, why = True, "its line was edited"
        else:
            why = known.get(Mutant(*change)) if is_drawn else None
            unexplained += why is None
        print(f"{became}: {name}: {Mutant(*change) if is_drawn else change}: {why or 'NOT EXPLAINED'}")
    if edited:
        print(f"Some changes do not apply any more, which is no failure as long as {ENOUGH} % of all are noticed.")
        print(f"Have others drawn instead of them, and commit sample.json: {DRAW}")
    if _score(total) < ENOUGH:
        print(f"FAILED: the tests notice fewer than {ENOUGH} % of the changes")
    if unexplained:
        print(f"FAILED: {unexplained} are not noticed and not explained. Write a test of what the line promises; if")
        print("no test can tell, say why in tests/mutation/explained.toml. A planted change follows the code it is in.")
    return 1 if unexplained or _score(total) < ENOUGH else 0


def _score(row: Counter[str]) -> float:
    return 100 * sum(row[one] for one in KILLED) / max(1, row.total())


if __name__ == "__main__":
    sys.exit(main())
