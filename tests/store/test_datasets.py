"""Datasets: what is found in them, in which order, by whom; the same on both databases."""

from __future__ import annotations

import threading

import pytest

from store import dataset_search, datasets, db, sql, words
from store.refusal import Refusal
from tests.waiting import HANG
from tests.world import World

BEES = "Bees dance to tell the way to the flowers.\nA scout dances in the dark hive."
OPENING = "Opening hours: the museum opens at nine and closes at five. On Mondays it is closed."
TICKETS = "Tickets cost twelve francs. Children under six enter free. Refunds are not possible."


def filled(workspace_id: str, name: str = "Visitors", **documents: list[str]) -> datasets.Dataset:
    made = datasets.create(workspace_id, name)
    for document, contents in documents.items():
        datasets.put_document(made.id, f"{document}.md", contents)
    return made


def names(dataset: datasets.Dataset, query: str, **options: object) -> list[str]:
    hits = dataset_search.search([dataset.id], query, **options)  # type: ignore[arg-type]
    return [hit.document_name for hit in hits]


def refused(code: str, *arguments: object, **options: object) -> str:
    with pytest.raises(Refusal) as caught:
        datasets.create(*arguments, **options)  # type: ignore[arg-type]
    assert caught.value.code == code
    return caught.value.message


def test_a_dataset_is_found_by_name_id_and_alias_in_its_own_workspace_only(world: World) -> None:
    made = datasets.create(world.home.id, " Opening Hours ", description="When", aliases=["abc-1", "abc-1"])
    for name in ("opening hours", made.id, made.id.upper(), "abc-1"):
        assert datasets.named(world.home.id, name) == made
        assert datasets.named(world.away.id, name) is None
        assert datasets.of_app(world.app.id, name) == made
        assert datasets.of_app(world.foreign_app.id, name) is None
    assert datasets.of_app("none", made.id) is None
    assert (made.name, made.description, made.aliases) == ("Opening Hours", "When", ("abc-1",))


def test_names_and_aliases_are_taken_once_per_workspace(world: World) -> None:
    datasets.create(world.home.id, "Hours", aliases=["a"])
    assert "'HOURS'" in refused("conflict", world.home.id, "HOURS")
    assert "'Hours'" in refused("conflict", world.home.id, "Other", aliases=["a"])
    assert datasets.named(world.home.id, "Other") is None
    refused("invalid_param", world.home.id, "  ")
    refused("invalid_param", world.home.id, "x" * 41)
    assert datasets.create(world.away.id, "Hours", aliases=["a"]).name == "Hours"


def test_the_best_segment_comes_first_with_a_score(world: World) -> None:
    made = filled(world.home.id, bees=[BEES], museum=[OPENING, TICKETS])
    hits = dataset_search.search([made.id], "When does the museum open?")
    assert [(hit.document_name, hit.position) for hit in hits] == [("museum.md", 1)]
    assert 0.5 < hits[0].score < 1
    assert (hits[0].content, hits[0].dataset_name) == (OPENING, "Visitors")
    both = dataset_search.search([made.id], "museum tickets")
    assert sorted(hit.position for hit in both) == [1, 2]
    assert all(hit.score < hits[0].score for hit in both)


def test_a_limit_and_a_least_score_hold(world: World) -> None:
    made = filled(world.home.id, a=["red apple"], b=["red apple pie"], c=["red wine"])
    assert names(made, "apple") == ["a.md", "b.md"]
    assert names(made, "red apple", limit=1) == ["a.md"]
    assert names(made, "red apple", limit=0) == []
    half = dataset_search.search([made.id], "red apple")
    assert names(made, "red apple", least=half[1].score) == ["a.md", "b.md"]


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("The cafés of Zürich", "cafe zurich"),
        ("ＦＵＬＬ width", "full"),
        ("東京都は日本の首都です", "日本の首都はどこ"),
        ("北京是中国的首都", "首都"),
        ("서울은 한국의 수도입니다", "한국"),
        ("Привет мир", "МИР"),
        ("Dances and flowers", "dancing flower"),
        ("iPhone 15 Pro, model A2848", "a2848"),
        ("to be or not to be", "to be"),
    ],
)
def test_words_are_found_in_any_script_and_form(world: World, text: str, query: str) -> None:
    made = filled(world.home.id, it=[text], other=["Nothing of the kind: Zeppelin"])
    assert names(made, query) == ["it.md"]


@pytest.mark.parametrize("query", ["", "  ", "?!", "' OR 1=1 --", '"', "a* NEAR(b)", "x:y & !z | (", "\x00", "% _ \\"])
def test_no_question_is_an_operator(world: World, query: str) -> None:
    made = filled(world.home.id, it=["apples"])
    assert names(made, query) == []


def test_common_words_alone_do_not_find_everything(world: World) -> None:
    made = filled(world.home.id, bees=[BEES], museum=[OPENING])
    assert names(made, "What is the hive?") == ["bees.md"]


def test_another_dataset_is_not_searched(world: World) -> None:
    mine = filled(world.home.id, a=["apples"])
    filled(world.home.id, "Others", b=["apples"])
    assert names(mine, "apples") == ["a.md"]
    assert dataset_search.search([], "apples") == []


def test_a_document_of_the_same_name_replaces_the_earlier_one(world: World) -> None:
    made = filled(world.home.id, a=["old apples", "old pears"])
    datasets.put_document(made.id, "a.md", ["new plums"])
    assert names(made, "apples") == []
    assert names(made, "plums") == ["a.md"]
    shown = datasets.documents(made.id)
    assert [(one.name, one.segments, one.words) for one in shown] == [("a.md", 1, 2)]


def test_a_document_without_text_is_refused_and_the_earlier_one_stays(world: World) -> None:
    made = filled(world.home.id, a=["apples"])
    with pytest.raises(Refusal, match="has no text"):
        datasets.put_document(made.id, "a.md", ["  ", "\n"])
    assert names(made, "apples") == ["a.md"]


def index_size() -> int:
    table = "segments" if db.is_postgres() else "segment_words"
    return int(db.reads(lambda: sql.rows(f"SELECT count(*) FROM {table}"))()[0][0])


def test_what_is_deleted_is_gone_from_the_index_too(world: World) -> None:
    made = filled(world.home.id, a=["apples"], b=["apples"])
    assert index_size() == 2
    assert datasets.delete_document(made.id, "a.md")
    assert not datasets.delete_document(made.id, "a.md")
    assert names(made, "apples") == ["b.md"]
    assert index_size() == 1
    assert datasets.delete(made.id)
    assert not datasets.delete(made.id)
    assert datasets.of_workspace(world.home.id) == []
    assert index_size() == 0


def test_datasets_go_with_their_workspace(world: World) -> None:
    filled(world.away.id, a=["apples"])
    db.writes(lambda: sql.change("DELETE FROM workspaces WHERE id = ?", world.away.id))()
    assert index_size() == 0


def test_many_segments_are_searched_and_the_best_is_among_the_first(world: World) -> None:
    made = filled(world.home.id, many=[f"common text number {n}" for n in range(400)])
    datasets.put_document(made.id, "best.md", ["common text with a rare needle"])
    hits = dataset_search.search([made.id], "common needle")
    assert hits[0].document_name == "best.md"
    assert len(hits) == 4


def test_words_are_plain_and_bounded() -> None:
    found = words.indexed("Tokyo 東京 x_y " + "z" * 500)
    assert all(word.isascii() and word.isalnum() for word in found)
    assert max(map(len, found)) <= 60
    assert len(words.asked(" ".join(f"w{n}" for n in range(500)))) == 32


def test_others_write_while_the_words_of_a_document_are_found(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    made = datasets.create(world.home.id, "Slow")
    found = words.indexed

    def slowly(text: str) -> list[str]:
        other = threading.Thread(target=datasets.create, args=(world.home.id, text), daemon=True)
        other.start()
        other.join(HANG)
        assert not other.is_alive()
        return found(text)

    monkeypatch.setattr(words, "indexed", slowly)
    datasets.put_document(made.id, "a.md", ["Bees", "Wasps"])
    assert [one.name for one in datasets.of_workspace(world.home.id)] == ["Bees", "Slow", "Wasps"]
