"""A server with more than a thousand open connections still renders, runs and reads."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from engine.files import service as files
from engine.running.cancel import CancelToken
from tests.engine.graphs import chain_document, code, template

MANY = 1100


@pytest.fixture
def crowd() -> Iterator[None]:
    """So many descriptors are open that new ones have numbers above 1023, which ``select`` does not take."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(4096, hard)), hard))
    with ExitStack() as stack:
        source = os.open(os.devnull, os.O_RDONLY)
        stack.callback(os.close, source)
        for _ in range(MANY):
            stack.callback(os.close, os.dup(source))
        yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


NODES = [
    (template("t", "hello"), "output"),
    (code("c", "def main():\n    return {'said': 'hello'}", said="string"), "said"),
    (code("c", "function main() { return {said: 'hello'} }", "javascript", said="string"), "said"),
]


@pytest.mark.parametrize(("one", "output"), NODES, ids=["template", "python", "javascript"])
def test_a_node_runs_beside_a_thousand_connections(bench: Any, crowd: None, one: dict[str, Any], output: str) -> None:
    last = bench.run(chain_document(one, output))[-1]["data"]
    assert (last["error"], last["outputs"]) == (None, {"result": "hello"})


def test_documents_are_read_beside_a_thousand_connections(configure: Callable[..., None], crowd: None) -> None:
    text = files.current().reader.text([b"<p>Bees hum.</p>"], "html", CancelToken())
    assert "Bees hum." in text
