"""The mutants of a file, under names that survive edits elsewhere in it."""

from __future__ import annotations

import ast
import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from cosmic_ray import plugins
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code

from contract import ROOT
from tests.mutation import operators  # noqa: F401 - registers ours

# What nobody writes by mistake, and what is the same for most values (`is` for `==`).
_LIKELY = re.compile(
    r"ours/.*|core/(AddNot|Replace(True|False|And|Or|Break|Continue)With.*|NumberReplacer|RemoveDecorator"
    r"|ZeroIterationForLoop|ExceptionReplacer"
    r"|ReplaceUnaryOperator_(USub_UAdd|Delete_Not)"
    r"|ReplaceBinaryOperator_(Add_Sub|Sub_Add|Mul_Div|Div_Mul|FloorDiv_Mul|Mod_Mul|Pow_Mul|BitOr_BitAnd|BitAnd_BitOr)"
    r"|ReplaceComparisonOperator_(Is_IsNot|IsNot_Is|((Eq|NotEq|Lt|LtE|Gt|GtE)_(Eq|NotEq|Lt|LtE|Gt|GtE))))"
)
# Lines whose change is none: what is logged, memory layout, what only the type checker reads.
_IDLE = re.compile(r"(logger|log)\.|__slots__|@dataclass\(|.*\bTYPE_CHECKING\b")

Place = tuple[tuple[int, int], tuple[int, int], str]  # begin and end (line, column), and the kind of change


class Mutant(NamedTuple):
    """One change: the ``nth`` place (from 0) where an operator applies to a line of this text in this file."""

    file: str
    line: str
    operator: str
    nth: int


def of(file: str) -> dict[Mutant, tuple[int, int]]:
    """All mutants of a file, with cosmic-ray's number of each (its ``occurrence``) and the number of its line."""
    return {mutant: (occurrence, place[0][0]) for mutant, occurrence, place in _found(file)}


def draw(files: list[str], kept: list[Mutant], count: int, seed: str) -> list[Mutant]:
    """Up to ``count`` mutants of some files: those of ``kept`` that still apply, then others by lot.

    At each place one change of a kind is enough; files take turns, so that a large one does not crowd out the others.
    """
    lot = random.Random(seed)
    sampled: list[list[tuple[Mutant, int]]] = []
    still: set[Mutant] = set()
    for file in files:
        places: defaultdict[Place, dict[Mutant, int]] = defaultdict(dict)
        for mutant, occurrence, place in _found(file):
            if mutant in kept or not _IDLE.match(mutant.line):
                places[place][mutant] = occurrence
        still |= {one for found in places.values() for one in found if one in kept}
        chosen = [lot.choice([*found.items()]) for found in places.values() if still.isdisjoint(found)]
        lot.shuffle(chosen)
        sampled.append(chosen)
    drawn = [one for one in kept if one in still]
    while any(sampled) and len(drawn) < count:
        for left in sampled:
            while left and len(drawn) < count:
                mutant, occurrence = left.pop()
                if _matters(mutant, occurrence):
                    drawn.append(mutant)
                    break
    return drawn


def _found(file: str) -> Iterator[tuple[Mutant, int, Place]]:
    text = (ROOT / file).read_text(encoding="utf-8")
    lines, tree = text.splitlines(), get_ast(text)
    nodes = list(ast_nodes(tree))
    seen: Counter[tuple[str, str]] = Counter()
    for name in filter(_LIKELY.fullmatch, plugins.operator_names()):
        operator = plugins.get_operator(name)()
        positions = (place for node in nodes for place in operator.mutation_positions(node))
        for occurrence, (start, end) in enumerate(positions):
            line = lines[start[0] - 1].strip()
            yield Mutant(file, line, name, seen[line, name]), occurrence, (start, end, name.split("_")[0])
            seen[line, name] += 1


def _matters(mutant: Mutant, occurrence: int) -> bool:
    text = (ROOT / mutant.file).read_text(encoding="utf-8")
    changed = mutate_code(text, plugins.get_operator(mutant.operator)(), occurrence)
    try:
        return changed is not None and _bare(changed) != _bare(text)
    except SyntaxError:  # the `*` of a signature is no multiplication
        return False


def _bare(text: str) -> str:
    """The program in a text, without docstrings and annotations, which nothing evaluates here."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.returns = None
        elif isinstance(node, ast.arg):
            node.annotation = None
        elif isinstance(node, ast.AnnAssign):
            node.annotation = ast.Constant(0)
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            node.value = ast.Constant(0)
    return ast.dump(tree)
