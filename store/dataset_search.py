"""Finding the segments that answer a question, by full text: SQLite FTS5 or PostgreSQL.

The database names the candidates; the score is computed here, so that both give the same. It is between 0 and
1: the share of the question's words that a segment has, rare words counting more, words that come often
counting a little more, and less in a long segment (after BM25; Robertson and Zaragoza 2009, §3).
"""

# ruff: noqa: S608 - statements are joined from constants only; every value goes through a mark
from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from store import db, sql, words

_CANDIDATES = 200
_TYPICAL_WORDS = 120
_SATURATION = 0.3
_COLUMNS = (
    "SELECT s.id, s.content, s.words, s.word_count, s.position, d.id, d.name, t.id, t.name"
    " FROM segments s JOIN documents d ON d.id = s.document_id JOIN datasets t ON t.id = s.dataset_id"
)


@dataclass(frozen=True, slots=True)
class Hit:
    """A segment that was found; ``score`` is above 0 and below 1, ``position`` counts from 1 in its document."""

    segment_id: str
    content: str
    word_count: int
    position: int
    document_id: str
    document_name: str
    dataset_id: str
    dataset_name: str
    score: float


@db.reads
def search(dataset_ids: Sequence[str], query: str, *, limit: int = 4, least: float = 0.0) -> list[Hit]:
    """Return the best segments of some datasets, best first; none for a question without words.

    ``least`` is the score that a segment must have. Ask only for datasets that were found with permission.
    """
    wanted = words.asked(query)
    if not wanted or not dataset_ids or limit < 1:
        return []
    found = _candidates(dataset_ids, wanted)
    counts = [Counter(one[2].split()) for one in found]
    marks = ", ".join("?" * len(dataset_ids))
    total = int(sql.row(f"SELECT count(*) FROM segments WHERE dataset_id IN ({marks})", *dataset_ids)[0])  # type: ignore[index]
    weights = {word: _rarity(sum(1 for one in counts if word in one), total) for word in wanted}
    whole = sum(weights.values())
    hits = []
    for one, count in zip(found, counts, strict=True):
        length = 0.5 + 0.5 * one[3] / _TYPICAL_WORDS
        gained = sum(weights[w] * count[w] / (count[w] + _SATURATION * length) for w in wanted if w in count)
        score = round(gained / whole, 6)
        if score > 0 and score >= least:
            hits.append(Hit(one[0], one[1], one[3], one[4], one[5], one[6], one[7], one[8], score))
    return sorted(hits, key=lambda hit: (-hit.score, hit.document_name, hit.position))[:limit]


def _candidates(dataset_ids: Sequence[str], wanted: Sequence[str]) -> list[sql.Row]:
    marks = ", ".join("?" * len(dataset_ids))
    # Words are ASCII letters and digits only (store.words), so nothing in them can be an operator.
    if db.is_postgres():
        asked = " | ".join(f"'{word}'" for word in wanted)
        return sql.rows(
            f"{_COLUMNS} WHERE s.dataset_id IN ({marks}) AND to_tsvector('simple', s.words) @@ to_tsquery('simple', ?)"
            " ORDER BY ts_rank(to_tsvector('simple', s.words), to_tsquery('simple', ?)) DESC, s.id LIMIT ?",
            *dataset_ids,
            asked,
            asked,
            _CANDIDATES,
        )
    return sql.rows(
        f"{_COLUMNS} JOIN segment_words f ON f.segment_id = s.id WHERE s.dataset_id IN ({marks})"
        " AND segment_words MATCH ? ORDER BY f.rank, s.id LIMIT ?",
        *dataset_ids,
        " OR ".join(f'"{word}"' for word in wanted),
        _CANDIDATES,
    )


def _rarity(having: int, total: int) -> float:
    return math.log(1 + (max(total, having) - having + 0.5) / (having + 0.5))
