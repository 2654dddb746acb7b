"""What a model thinks, parted from what it says, also where the text is made to take long."""

from __future__ import annotations

from typing import Any

import pytest

from engine.models.thoughts import split_reasoning, without_thoughts
from tests.engine.conftest import Bench
from tests.engine.graphs import chat_document
from tests.engine.test_model_nodes import classifying, model, told


@pytest.mark.parametrize(
    ("text", "said", "thought"),
    [
        ("So.", "So.", ""),
        ("<think>Hm.</think>\n\nSo.", "So.", "Hm."),
        ("<think>a</think>One\n \n\n<THINK lang=en> b </Think>two", "One\n\ntwo", "a\nb"),
        ("One <think>never closed", "One", "never closed"),
        ("<think></think>x", "x", ""),
        ("a </think> b <thinker>", "a </think> b <thinker>", ""),
        ("", "", ""),
    ],
)
def test_thoughts_are_parted_from_what_is_said(text: str, said: str, thought: str) -> None:
    assert split_reasoning(text, "separated") == (said, thought)
    assert split_reasoning(text, "tagged") == (text, "")
    assert without_thoughts(text).split() == (text if "never" in text else said).split()


@pytest.mark.parametrize("piece", ["<think>", "<think ", "<think>a</think>"])
def test_no_text_is_looked_through_more_than_once(piece: str) -> None:
    """Of a million pieces: looking to the end of the text from each would take days."""
    text = piece * 1_000_000
    assert len(without_thoughts(text)) in (0, len(text))
    assert split_reasoning(text, "separated")[0] in ("", text.strip())


def test_nobody_keeps_the_server_busy_with_thoughts_that_are_not_closed(bench: Bench) -> None:
    text = "<think>" * 100_000
    chat: dict[str, Any] = chat_document()
    chat["graph"]["nodes"][1]["data"]["reasoning_format"] = "separated"
    assert bench.run(chat, query=text)[-1]["data"]["status"] == "succeeded"
    assert told(bench.run(classifying(model=model(answer=text)), {"said": "x"}))["status"] == "succeeded"
