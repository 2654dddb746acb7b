"""The provider ``maths``: arithmetic, by simpleeval, which knows numbers and these functions and nothing else."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from engine.tools.tool import Parameter, Result, Tool, ToolContext, ToolProblem

_LONGEST = 1000  # characters
_NAMES = {"pi": math.pi, "e": math.e, "tau": math.tau}
# Below 10^4000: Python refuses to write longer numbers, and a product of such is still quick.
_BITS = 13_000


def _rounded(number: Any, digits: int = 0) -> Any:
    # Python would build ten to the power of that many digits.
    return round(number, max(-30, min(30, digits))) if digits else round(number)


def _multiplied(a: Any, b: Any) -> Any:
    if isinstance(a, int) and isinstance(b, int) and a.bit_length() + b.bit_length() > _BITS:
        raise ToolProblem("The number is too large")
    return a * b


def _power(a: Any, b: Any) -> Any:
    if isinstance(a, int) and isinstance(b, int) and a.bit_length() * abs(b) > _BITS:
        raise ToolProblem("The number is too large")
    return a**b


_FUNCTIONS: dict[str, Any] = {
    **{name: getattr(math, name) for name in (
        "sqrt", "exp", "log", "log2", "log10", "sin", "cos", "tan", "asin", "acos", "atan", "atan2", "sinh", "cosh",
        "tanh", "floor", "ceil", "trunc", "radians", "degrees", "hypot",
    )},
    "abs": abs, "round": _rounded, "min": min, "max": max,
}  # fmt: skip


def _evaluate(arguments: Mapping[str, Any], context: ToolContext) -> Result:
    # Imported by the first calculation: the server starts without it.
    import ast

    from simpleeval import DEFAULT_OPERATORS, SimpleEval

    expression = arguments["expression"].strip().replace("^", "**")
    if len(expression) > _LONGEST:
        raise ToolProblem(f"The expression is longer than {_LONGEST} characters")
    if "'" in expression or '"' in expression:
        # Text can be repeated and formatted to any length.
        raise ToolProblem("Only numbers can be calculated with")
    operators = {**DEFAULT_OPERATORS, ast.Mult: _multiplied, ast.Pow: _power}
    # Shifts make large numbers out of small ones.
    for kind in (ast.LShift, ast.RShift):
        operators.pop(kind, None)
    evaluator = SimpleEval(operators=operators, functions=_FUNCTIONS, names=_NAMES)
    # A number has methods, too: (1).to_bytes(10 ** 10) fills the memory.
    evaluator.nodes.pop(ast.Attribute)
    try:
        value = evaluator.eval(expression)
    except ToolProblem:
        raise
    except RecursionError:
        raise ToolProblem("The expression is nested too deep") from None
    except Exception as error:
        raise ToolProblem(f"'{expression[:100]}' cannot be calculated: {_reason(error)}") from None
    if isinstance(value, bool) or not isinstance(value, (int, float, complex)):
        raise ToolProblem(f"'{expression[:100]}' is not arithmetic")
    return Result(str(value))


def _reason(error: Exception) -> str:
    """What an error means to somebody who does not know what calculates."""
    from simpleeval import InvalidExpression, OperatorNotDefined

    match error:
        case OperatorNotDefined():
            return "it has an operator that is not known here"
        case InvalidExpression():
            return str(error)
        case SyntaxError():
            return error.msg
        case TypeError():
            return "a function has arguments that it does not take"
        case ArithmeticError() | ValueError():
            return str(error.args[-1])
    return "it is not arithmetic"


TOOLS = (
    Tool(
        "maths", "eval_expression", "Calculator", "Calculates an expression such as (1 + 2) * sqrt(9).",
        (Parameter("expression", required=True, description="numbers, + - * / // % **, functions such as sqrt"),),
        _evaluate,
    ),
)  # fmt: skip
