"""Whatever a stranger makes of a definition, it is imported, or refused in words that name the key. Nothing else.

The same examples in each run of the quick suite; ``DIFYSPEC_FUZZ_EXAMPLES`` asks for more, drawn anew.
"""

from __future__ import annotations

import os
from typing import Any

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.definition import author_secrets
from engine.definition.easy_graph import as_graph
from engine.definition.reading import Definition, DefinitionError, load
from engine.definition.yaml_guard import read
from engine.events.masking import KEYS
from engine.inputs.parameters import parameters
from engine.inputs.schema import input_schema
from engine.knowledge.named import datasets_of
from engine.models.used import models_of
from engine.running.repeatable import is_repeatable
from engine.running.sealing import Sealer
from engine.tools.named import tools_of
from tests.engine.damage import BYTES, TEXTS, damaged, written
from web.graph_picture import picture

MORE = int(os.environ.get("DIFYSPEC_FUZZ_EXAMPLES", "0"))
BUDGET = settings(
    max_examples=MORE or 150, derandomize=not MORE, deadline=None, database=None,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
SEALER = Sealer("k" * 32)


def imported(text: str | bytes) -> Definition | None:
    """The definition; None when it was refused, as it should be."""
    refused = None
    try:
        return load(text)
    except DefinitionError as error:
        refused = error
    assert 0 < len(refused.message) <= 500
    assert len(refused.key) <= 300
    # What is wrong with a part names it; what is wrong with the text, its line.
    assert refused.key or refused.line or refused.message.startswith("Invalid YAML format: "), str(refused)
    return None


def without_variables(text: str) -> Any:
    """A definition as it is written, without its secret variables: a number among them comes back as text."""
    value = read(text)[0]
    flow = value.get("workflow")
    return {**value, "workflow": {**flow, "environment_variables": None}} if isinstance(flow, dict) else value


@BUDGET
@given(damaged(), st.booleans())
def test_a_damaged_definition_is_imported_or_refused_with_its_key(value: Any, as_yaml: bool) -> None:
    text = written(value, as_yaml)
    made = imported(text)
    if made is None:
        return
    # All that reads it later, before it runs. What is told of it leaves as JSON.
    document = made.document
    kept = orjson.loads(orjson.dumps(author_secrets.sealed(document, SEALER, text)))
    clear = author_secrets.opened(kept, SEALER)
    clear.pop(KEYS, None)
    assert clear == document
    blank = author_secrets.blanked(text)
    assert imported(blank) is not None
    restored = author_secrets.restored(blank, kept, SEALER)
    if not as_yaml:
        assert without_variables(restored) == without_variables(text)
    orjson.dumps([parameters(document), input_schema(document, 10), made.warnings, made.description, made.icon])
    models_of(document), datasets_of(document), tools_of(document), picture(document)
    for query in (None, "bees"):
        is_repeatable(as_graph(document, {}, query))


@BUDGET
@given(TEXTS | BYTES)
def test_any_text_at_all_is_refused_in_words(text: str | bytes) -> None:
    imported(text)
