"""Answers spoken: the echo model's voice, which says nothing for as long as a person would take to say it.

It is there so that a client's player can be tried without a key; the apps of a server with another default model
are not spoken, because silence would be no answer there.
"""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Mapping
from typing import Any

from engine.inputs.parameters import features_of
from engine.models.table import ModelTable

_SENTENCE = re.compile(r"[^.!?\n]+[.!?\n]*")
# One frame of MPEG-2 layer III, 8 kbit/s, 16 kHz, mono, whose side information says "no sound" (ISO 13818-3).
_FRAME = bytes([0xFF, 0xF3, 0x18, 0xC4]) + bytes(32)
_FRAME_SECONDS = 0.036
_CHARACTERS_A_SECOND = 15
_LONGEST = 3000  # characters; a longer answer falls silent for good


def speaks(document: Mapping[str, Any], models: ModelTable) -> bool:
    """Whether the author wants answers spoken by themselves, and the model that answers by default has a voice."""
    wanted = features_of(document).get("text_to_speech")
    switched = isinstance(wanted, Mapping) and wanted.get("enabled") and wanted.get("autoPlay") == "enabled"
    return bool(switched) and models.choose("", "").backend.kind == "echo"


def spoken(text: str) -> list[str]:
    """Return the text as MP3 in base64, a piece for each sentence; nothing for a blank one."""
    sentences = [found[0] for found in _SENTENCE.finditer(text[:_LONGEST]) if found[0].strip()]
    return [base64.b64encode(_FRAME * _frames(sentence)).decode() for sentence in sentences]


def _frames(sentence: str) -> int:
    return math.ceil(len(sentence) / _CHARACTERS_A_SECOND / _FRAME_SECONDS)
