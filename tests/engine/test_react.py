"""What models write in place of a call: read as it was meant."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest

from engine.agents.final_answer import FinalAnswer
from engine.agents.react import PROMPT, ReAct
from engine.agents.react_text import read
from engine.models.json_answers import read_json


@pytest.mark.parametrize(
    ("text", "thought", "action"),
    [
        ('Thought: look\nAction:\n```json\n{"action": "a", "action_input": {"x": 1}}\n```', "look", ("a", {"x": 1})),
        ('Action: ```{"action": "a", "action_input": "x"}```', "", ("a", "x")),
        ('{"action": "Final Answer", "action_input": "It {is}"}', "", ("Final Answer", "It {is}")),
        ('I take {1} and {"action": "a", "action_input": "line\nbreak"}', "I take {1} and", ("a", "line\nbreak")),
        ("Thought: look\nAction: search\nAction Input: bees", "look", ("search", "bees")),
        ("Final Answer: 42", "", ("Final Answer", "42")),
        ("Thought: I know.\nFinal Answer: It is\nfour.\n", "I know.", ("Final Answer", "It is\nfour.")),
        ("The final answer: 42", "The final answer: 42", None),
        ('Action: [{"action": "a", "action_input": "x"}]', "", ("a", "x")),
        ("Action: {'action': 'a', 'action_input': {'x': 1}}", "", ("a", {"x": 1})),
        ('Thought: look\nAction: {"action": "a", "action_input": {"x": 1,},}', "look", ("a", {"x": 1})),
        ('{"action": 5, "x"', '{"action": 5, "x"', None),
        ("Just an answer.", "Just an answer.", None),
        ("{not json", "{not json", None),
        ("", "", None),
    ],
)
def test_a_text_isread(text: str, thought: str, action: object) -> None:
    assert read(text) == (thought, action)


ANSWERS = ["It is Monday.", 'a "quoted" \\ and \n line', "ä 😀 \u2028", "", 'ends with "']


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("ascii_only", [True, False])
@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_a_final_answer_is_told_while_it_is_written(answer: str, ascii_only: bool, size: int) -> None:
    action = json.dumps({"action": "Final Answer", "action_input": answer}, ensure_ascii=ascii_only)
    text = f"Thought: I know.\nAction:\n```json\n{action}\n``` and more"
    final = FinalAnswer()
    pieces = [final.feed(text[at : at + size]) for at in range(0, len(text), size)]
    assert "".join(pieces) == answer
    assert final.rest(answer) == ""
    if size == 1 and len(answer) > 5:
        assert sum(map(bool, pieces)) > 5


@pytest.mark.parametrize(
    "text", ['{"action_input": "x", "action": "Final Answer"}', '{"action": "a", "action_input": "x"}']
)
def test_what_is_no_final_answer_yet_is_not_told(text: str) -> None:
    final = FinalAnswer()
    assert final.feed(text) == ""
    assert final.rest("x") == "x"


@pytest.mark.parametrize("piece", ["{", "{action:", "Final Answer", '{"action": "'])
def test_a_text_that_is_no_json_is_not_looked_through_again_from_each_brace(piece: str) -> None:
    """Of a million pieces: that would take days."""
    text = piece * 1_000_000 + "}"
    read(text)
    with suppress(ValueError):
        read_json(text)


def test_an_input_in_the_instruction_is_not_taken_for_a_placeholder() -> None:
    assert ReAct(PROMPT).system("Say {{tools}}", []).startswith("Say {{tools}}\n")
