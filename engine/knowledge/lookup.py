"""Looking a question up in the datasets that an app names, in its own workspace."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from engine.knowledge.named import how_to_add
from store import dataset_search, datasets


class LookupFailed(ValueError):
    """The datasets cannot be asked; the text says what an operator can do."""


class Knowledge:
    """The datasets that one app may read."""

    def __init__(self, app_id: str) -> None:
        self._app_id = app_id

    def __call__(self, names: Sequence[str], query: str, *, top_k: int, least: float = 0.0) -> list[dict[str, Any]]:
        """Return the best segments for a question as the members that a node's ``result`` has.

        ``names`` are ids, aliases or names of datasets. Raises LookupFailed when one is not here.
        """
        ids = [one.id for one in self.all_of(names)]
        hits = dataset_search.search(ids, query, limit=top_k, least=least)
        return [_result(position, hit) for position, hit in enumerate(hits, 1)]

    def all_of(self, names: Sequence[str]) -> list[datasets.Dataset]:
        """Return the datasets that the app means, each once. Raises LookupFailed, also when it names none."""
        if not names:
            raise LookupFailed("The app names no dataset to look things up in")
        return list({one.id: one for one in map(self.dataset, names)}.values())

    def dataset(self, name: str) -> datasets.Dataset:
        """Return the dataset that the app means by an id, an alias or a name. Raises LookupFailed."""
        found = datasets.of_app(self._app_id, name)
        if found is None:
            raise LookupFailed(
                f"The dataset '{name}' is not on this server. Its operator can add it: "
                f"{how_to_add(name)}, then difyspec datasets import NAME FILE…"
            )
        return found


def _result(position: int, hit: dataset_search.Hit) -> dict[str, Any]:
    return {
        "title": hit.document_name,
        "content": hit.content,
        "files": None,
        "summary": None,
        "metadata": {
            "_source": "knowledge",
            "position": position,
            "dataset_id": hit.dataset_id,
            "dataset_name": hit.dataset_name,
            "document_id": hit.document_id,
            "document_name": hit.document_name,
            "data_source_type": "upload_file",
            "segment_id": hit.segment_id,
            "retriever_from": "workflow",
            "score": hit.score,
            "segment_hit_count": None,
            "segment_word_count": hit.word_count,
            "segment_position": hit.position,
            "segment_index_node_hash": None,
            "doc_metadata": None,
        },
    }
