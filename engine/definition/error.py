"""How a definition that cannot be imported is refused: why, at which key, on which line."""

from __future__ import annotations

LONGEST_MESSAGE, LONGEST_KEY = 500, 300  # characters: what is told may quote what a stranger wrote

Path = tuple[str | int, ...]


class DefinitionError(Exception):
    """A definition that cannot be imported.

    ``message`` says why, ``key`` where (``workflow.graph.nodes[3].id``; empty for the whole), ``line`` counts
    from 1 and is None when it cannot be told.
    """

    def __init__(self, message: str, key: str = "", line: int | None = None) -> None:
        self.message = shortened(message, LONGEST_MESSAGE)
        self.key = shortened(key, LONGEST_KEY)
        self.line = line
        super().__init__(self.message)

    def __str__(self) -> str:
        where = [self.key] if self.key else []
        if self.line is not None:
            where.append(f"line {self.line}")
        return f"{self.message} ({', '.join(where)})" if where else self.message


class Problem(Exception):
    """A problem at a path within the value.

    `engine.definition.reading.load` turns it into a DefinitionError with its line.
    """

    def __init__(self, message: str, *path: str | int) -> None:
        super().__init__(message)
        self.message = message
        self.path: Path = path


def dotted(path: Path) -> str:
    """``("graph", "nodes", 3, "id")`` as ``graph.nodes[3].id``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def shortened(text: str, most: int) -> str:
    """The text, without what is beyond ``most`` characters."""
    return text if len(text) <= most else text[: most - 1] + "…"
