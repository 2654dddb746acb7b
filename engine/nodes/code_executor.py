"""The engine's port for code nodes, on the sandbox; and what their outputs may be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphon.nodes.code.entities import CodeLanguage
from graphon.nodes.code.limits import CodeNodeLimits
from graphon.nodes.code.protocols import CodeExecutorProtocol

from engine.running.cancel import CancelToken
from engine.sandbox.pool import CodeRefused, SandboxPool

_LARGEST = 9223372036854775807
_OUTPUT_CHARACTERS = 400_000


class CodeExecutionError(ValueError):
    """The code failed. A fail branch sees this name as ``error_type``."""


class CodeExecutor(CodeExecutorProtocol):
    """Runs the code of one run's nodes."""

    def __init__(self, pool: SandboxPool, cancel: CancelToken) -> None:
        self._pool, self._cancel = pool, cancel

    def execute(self, *, language: CodeLanguage, code: str, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the outputs as the code gave them. Raises CodeExecutionError with the reason."""
        try:
            return self._pool.run(language.value, code, inputs, self._cancel)
        except CodeRefused as error:
            raise CodeExecutionError(str(error)) from None

    def is_execution_error(self, error: Exception) -> bool:
        """Whether it is the code's failure, not ours."""
        return isinstance(error, CodeExecutionError)


def limits(max_output_characters: int = _OUTPUT_CHARACTERS) -> CodeNodeLimits:
    """Return what a code node's declared outputs are checked against: the limits of the reference."""
    return CodeNodeLimits(
        max_string_length=max_output_characters,
        max_number=_LARGEST,
        min_number=-_LARGEST,
        max_precision=20,
        max_depth=5,
        max_number_array_length=1000,
        max_string_array_length=30,
        max_object_array_length=30,
    )
