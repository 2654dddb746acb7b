"""What is wrong with one value of ``inputs``."""

from __future__ import annotations


class InputProblem(Exception):
    """``message`` is the text clients know; ``type`` is the machine-readable kind for ``details``."""

    def __init__(self, message: str, type: str) -> None:
        super().__init__(message)
        self.message = message
        self.type = type
