"""Pictures that a model makes, and answers that are spoken."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest

from engine.definition.config_document import config_warnings
from engine.events.speech import spoken
from engine.models.backend import BUILT_IN
from engine.models.table import ModelTable
from tests.engine.conftest import Bench
from tests.engine.graphs import chat_document
from tests.engine.test_easy_modes import easy
from tests.engine.test_easy_modes import names as names_of

VOICE = {"enabled": True, "autoPlay": "enabled", "voice": "", "language": ""}


def test_a_picture_of_the_model_is_told_and_listed_with_the_message(bench: Bench) -> None:
    events = bench.run(easy(parameters={"image": True}), query="hi")
    told = next(event for event in events if event["event"] == "message_file")
    assert names_of(events)[-2:] == ["message_file", "message_end"]
    (listed,) = events[-1]["files"]
    assert (told["id"], told["type"], told["belongs_to"]) == (listed["related_id"], "image", "assistant")
    assert told["url"].partition("?")[0] == listed["url"].partition("?")[0]


@pytest.mark.parametrize("mode", ["chat", "agent-chat", "completion"])
def test_an_answer_is_spoken_before_its_end(bench: Bench, mode: str) -> None:
    events = bench.run(easy(mode, text_to_speech=VOICE), query="One. Two.")
    assert names_of(events)[-4:] == ["tts_message", "tts_message", "tts_message_end", "message_end"]
    assert base64.b64decode(events[-4]["audio"])[:2] == b"\xff\xf3"
    assert events[-2]["audio"] == ""


@pytest.mark.parametrize("mode", ["advanced-chat", "workflow"])
def test_the_answer_of_a_flow_is_spoken_before_its_last_events(bench: Bench, mode: str) -> None:
    flow = chat_document(features={"text_to_speech": VOICE})
    if mode == "workflow":
        flow["mode"] = mode
        flow["graph"]["nodes"][1]["data"]["prompt_template"][0]["text"] = "One."
        outputs = [{"variable": "a", "value_selector": ["llm", "text"]}]
        flow["graph"]["nodes"][2]["data"] = {"type": "end", "title": "End", "outputs": outputs}
    told = names_of(bench.run(flow))
    last = ["message_end", "workflow_finished"] if mode == "advanced-chat" else ["workflow_finished"]
    assert told[-len(last) - 2 :] == ["tts_message", "tts_message_end", *last]


def test_nothing_is_spoken_where_nobody_wants_it_or_another_model_answers(
    bench: Bench, configure: Callable[..., None]
) -> None:
    assert "tts_message" not in names_of(bench.run(easy(text_to_speech={**VOICE, "autoPlay": "disabled"}), query="a"))
    assert "tts_message" not in names_of(bench.run(easy(text_to_speech=VOICE, parameters={"error": "no"}), query="a"))
    configure(models=ModelTable(BUILT_IN, default="local"))
    assert "tts_message" not in names_of(bench.run(easy(text_to_speech=VOICE), query="a"))


def test_an_import_says_how_answers_are_spoken() -> None:
    assert config_warnings({"text_to_speech": VOICE}) == [
        "Answers are spoken by the echo model only, as silence of their length."
    ]


@pytest.mark.parametrize(("text", "pieces"), [("", 0), (" \n ", 0), ("Hi", 1), ("Hi. You?\nYes", 3)])
def test_each_sentence_is_a_piece(text: str, pieces: int) -> None:
    assert len(spoken(text)) == pieces


def test_silence_lasts_as_long_as_the_words_but_not_for_ever() -> None:
    def seconds(text: Any) -> float:
        return sum(len(base64.b64decode(piece)) for piece in spoken(text)) / 36 * 0.036

    assert 1.9 < seconds("x" * 30) < 2.1
    assert seconds("x" * 100_000) < 201
