"""The strategy for models that know no tools (ReAct): they write thoughts and actions as text.

Only the final answer is for the person; thoughts and actions are told as the agent's thoughts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Generator, Sequence
from typing import Any

from graphon.model_runtime.entities.llm_entities import LLMUsage
from graphon.model_runtime.entities.message_entities import (
    AssistantPromptMessage,
    PromptMessage,
    PromptMessageTool,
    UserPromptMessage,
)

from engine.agents.final_answer import FinalAnswer
from engine.agents.react_text import FINAL, read
from engine.agents.steps import Call, Observed
from engine.agents.strategy import Turn
from engine.models.base import BaseModelAdapter

PROMPT = """{{instruction}}

Answer the question as well as you can. You can use these tools:
{{tools}}

Use a tool by writing one action as JSON with the keys `action` (a tool's name) and `action_input` (its arguments):

Thought: what you need to find out
Action:
```json
{"action": "NAME", "action_input": {"ARGUMENT": "VALUE"}}
```

You will then be told the result as `Observation:`. Repeat as often as needed. Known actions: {{tool_names}}.
When you know the answer, give it like this:

Thought: I know the answer
Action:
```json
{"action": "Final Answer", "action_input": "the answer"}
```"""
STOP = ("Observation:",)
_THINKS, _DONE = "<think>", "</think>"
_FINAL = frozenset({"final answer", "final_answer", "finalanswer", "final"})


class ReAct:
    """``prompt`` is an author's own, with ``{{instruction}}``, ``{{tools}}`` and ``{{tool_names}}`` in it."""

    def __init__(self, prompt: str = "") -> None:
        self._prompt = prompt or PROMPT

    def system(self, instruction: str, tools: Sequence[PromptMessageTool]) -> str:
        """Return the system message with the tools written out."""
        listed = [{"name": t.name, "description": t.description, "parameters": t.parameters} for t in tools]
        values = {
            "instruction": instruction,
            "tools": json.dumps(listed, ensure_ascii=False),
            "tool_names": ", ".join([*(tool.name for tool in tools), FINAL]),
            # What the author's prompt would have at its end is said in messages here.
            "historic_messages": "", "query": "", "agent_scratchpad": "",
        }  # fmt: skip
        # One pass, so that what an input put into the instruction is not taken for a placeholder.
        text = re.sub(r"\{\{\s*(\w+)\s*\}\}", lambda found: values.get(found[1], found[0]), self._prompt)
        return text.strip()

    def ask(
        self,
        model: BaseModelAdapter,
        messages: Sequence[PromptMessage],
        tools: Sequence[PromptMessageTool],
        last: bool,
    ) -> Generator[str, None, Turn]:
        """Yield the final answer as it comes; return the turn."""
        text, usage = "", LLMUsage.empty_usage()
        pieces = model.invoke_llm(
            prompt_messages=messages,
            model_parameters=model.parameters,
            tools=None,
            stop=(*STOP, *(model.stop or ())),
            stream=True,
        )
        final, seen = FinalAnswer(), 0
        for piece in pieces:
            text += piece.delta.message.get_text_content()
            usage = piece.delta.usage or usage
            open_text = _without_thoughts(text)
            if told := final.feed(open_text[seen:]):
                yield told
            seen = len(open_text)
        text = _without_thoughts(text)
        # A model that does not heed the stop word goes on to invent what the tool said.
        text = text.split(STOP[0], 1)[0]
        thought, action = read(text)
        message = AssistantPromptMessage(content=text, tool_calls=[])
        if action is None and final.told:
            return Turn("", (), final.told, message, usage)
        if action is None:
            yield thought
            return Turn(thought, (), thought, message, usage)
        name, given = action
        if name.strip().lower() in _FINAL:
            answer = given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)
            if rest := final.rest(answer):
                yield rest
            return Turn(thought, (), answer, message, usage)
        return Turn(thought, (_call(name.strip(), given),), None, message, usage)

    def observe(self, results: Sequence[Observed]) -> list[PromptMessage]:
        """Return the message that tells the model what its action gave."""
        return [UserPromptMessage(content=f"Observation: {one.text}") for one in results]


def _without_thoughts(text: str) -> str:
    """The text after what the model thought to itself; empty while it still does."""
    if not text.lstrip().startswith(_THINKS):
        return "" if _THINKS.startswith(text.lstrip()) else text
    return text.partition(_DONE)[2]


def _call(name: str, given: Any) -> Call:
    if isinstance(given, str):
        try:
            given = json.loads(given)
        except ValueError:
            # A tool with one argument is often given just its value: the agent knows which it is.
            return Call("react", name, None, given)
    arguments = given if isinstance(given, dict) else {} if given is None else None
    return Call("react", name, arguments, json.dumps(given, ensure_ascii=False))
