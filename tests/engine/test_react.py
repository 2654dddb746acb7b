"""What models write in place of a call: read as it was meant."""

from __future__ import annotations

import pytest

from engine.agents.react import PROMPT, ReAct, _read


@pytest.mark.parametrize(
    ("text", "thought", "action"),
    [
        ('Thought: look\nAction:\n```json\n{"action": "a", "action_input": {"x": 1}}\n```', "look", ("a", {"x": 1})),
        ('Action: ```{"action": "a", "action_input": "x"}```', "", ("a", "x")),
        ('{"action": "Final Answer", "action_input": "It {is}"}', "", ("Final Answer", "It {is}")),
        ('I take {1} and {"action": "a", "action_input": "line\nbreak"}', "I take {1} and", ("a", "line\nbreak")),
        ("Thought: look\nAction: search\nAction Input: bees", "look", ("search", "bees")),
        ("Final Answer: 42", "42", None),
        ("Just an answer.", "Just an answer.", None),
        ("{not json", "{not json", None),
        ("", "", None),
    ],
)
def test_a_text_is_read(text: str, thought: str, action: object) -> None:
    assert _read(text) == (thought, action)


def test_a_text_of_braces_is_read_quickly() -> None:
    assert _read("{" * 200_000)[1] is None


def test_an_input_in_the_instruction_is_not_taken_for_a_placeholder() -> None:
    assert ReAct(PROMPT).system("Say {{tools}}", []).startswith("Say {{tools}}\n")
