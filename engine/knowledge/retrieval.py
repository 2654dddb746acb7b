"""How an app wants to look things up: how many passages, how good they must be."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.knowledge.lookup import LookupFailed

MAX_TOP_K = 100
_USUAL_TOP_K = 4


@dataclass(frozen=True)
class Retrieval:
    """``top_k`` is 1 to 100; a passage's score must be at least ``least`` (0 to 1)."""

    top_k: int = _USUAL_TOP_K
    least: float = 0.0


def retrieval_of(data: Mapping[str, Any]) -> Retrieval:
    """Read the members of a ``knowledge-retrieval`` node; a number that is none is taken as not given.

    Raises LookupFailed for filters on metadata.
    """
    conditions = (data.get("metadata_filtering_conditions") or {}).get("conditions")
    if data.get("metadata_filtering_mode") == "manual" and conditions:
        raise LookupFailed("Filters on metadata cannot be used on this server: its documents have none")
    config = data.get("multiple_retrieval_config") or {}
    return Retrieval(
        top_k=max(1, min(MAX_TOP_K, int(_number(config.get("top_k"))) or _USUAL_TOP_K)),
        least=_number(config.get("score_threshold")) if config.get("score_threshold_enabled", True) else 0.0,
    )


def _number(value: Any) -> float:
    number = float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else 0.0
    return number if math.isfinite(number) else 0.0
