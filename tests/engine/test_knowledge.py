"""Looking things up: reading and cutting documents, the node, what an answer is said to rest on."""

from __future__ import annotations

import io
from typing import Any

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.files.config import FileConfig
from engine.knowledge.chunks import chunks
from engine.knowledge.part import Part, UnreadableDocument
from engine.knowledge.readers import read
from store import conversations, datasets, workspaces
from tests.engine.conftest import make_caller
from tests.engine.graphs import chain_document, document, edge, llm, node
from tests.engine.test_documents import pdf, word

OPENING = "The museum opens at nine."
TICKETS = "Tickets cost twelve francs."


READER = FileConfig().document_reader()


def texts(name: str, data: str | bytes) -> list[tuple[str, tuple[str, ...]]]:
    return [(p.text, p.headings) for p in read(name, data.encode() if isinstance(data, str) else data, READER)]


def test_markdown_is_read_in_sections_with_their_headings() -> None:
    source = "Intro.\n# Visit\n## Hours\nNine to five.\n```\n# no heading\n```\n# Shop #\nSouvenirs.\n"
    assert [(text.strip(), above) for text, above in texts("a.MD", source)] == [
        ("Intro.", ()),
        ("Nine to five.\n```\n# no heading\n```", ("Visit", "Hours")),
        ("Souvenirs.", ("Shop",)),
    ]


def test_html_is_read_as_a_person_sees_it() -> None:
    source = (
        "<html><head><title>T</title><style>p {}</style></head><body><p>Intro &amp; more"
        "<script>alert('x')</script></p><h1>Visit</h1><table><tr><td>Mon</td><td>closed</td></tr></table>"
        "<h2>Hours</h2><ul><li>Nine<li>Five</ul></body>"
    )
    assert texts("a.html", source) == [
        ("Intro & more", ()),
        ("Mon closed", ("Visit",)),
        ("Nine\n\nFive", ("Visit", "Hours")),
    ]


def test_csv_rows_are_read_one_by_one_with_the_names_of_their_columns() -> None:
    assert texts("a.csv", 'name;price\n"Cup, red";12\nPlate;\n') == [
        ("name: Cup, red\nprice: 12", ()),
        ("name: Plate", ()),
    ]


def test_text_is_read_in_the_character_set_it_was_written_in() -> None:
    assert texts("a.txt", "\ufeffHallo".encode()) == [("Hallo", ())]
    said = "Die Ausstellung über Bienen öffnet am Samstag, größere Gruppen melden sich bitte früh genug an." * 3
    assert texts("a.txt", said.encode("cp1252")) == [(said, ())]


def sheets() -> bytes:
    book, out = openpyxl.Workbook(), io.BytesIO()
    book.active.title = "Prices"
    for row in (["what", "price", None], ["ticket", 12, "now"], ["guide", None, None], ["a | b", 1, None]):
        book.active.append(row)
    other = book.create_sheet("Hours")
    other.append(["day"])
    other.append(["Monday"])
    book.create_sheet("Note").append(["Closed in May"])
    book.save(out)
    return out.getvalue()


def test_sheets_are_read_row_by_row_under_their_names() -> None:
    assert texts("a.xlsx", sheets()) == [
        ("what: ticket\nprice: 12\nnow", ("Prices",)),
        ("what: guide", ("Prices",)),
        ("a\nb\n1\n", ("Prices",)),
        ("day: Monday", ("Hours",)),
        ("Closed in May", ("Note",)),
    ]


def test_documents_of_libraries_are_read_as_text_and_the_rows_of_their_tables() -> None:
    assert texts("a.docx", word()) == [("Bees dance.", ()), ("name: bee\nlegs: 6", ()), ("They hum.", ())]
    assert texts("a.pdf", pdf()) == [("Bees dance.", ())]
    assert texts("a.JSON", '{"bee": [6, "legs"]}') == [('{\n  "bee": [\n    6,\n    "legs"\n  ]\n}', ())]
    assert texts("a.eml", "Subject: Bees\n\n| one |\n\nThe end.\n") == [
        ("Subject: Bees\n", ()), ("| one |", ()), ("\nThe end.", ()),
    ]  # fmt: skip
    assert texts("a.tsv", "name\tlegs\nbee\t6\n") == [("name: bee\nlegs: 6", ())]


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("a.png", b"x", "a.png: documents are read from .csv, .docx"),
        ("a.txt", b"a\x00b", "not text"),
        ("a.pdf", b"x", "a.pdf: The PDF cannot be read"),
        ("a.docx", b"x", "a.docx: The file is not what its name says"),
        ("a.json", b"{", "a.json: The file is not valid JSON"),
    ],
)
def test_what_cannot_be_read_is_refused(name: str, data: bytes, told: str) -> None:
    with pytest.raises(UnreadableDocument, match=told):
        read(name, data, READER)


def test_a_section_is_cut_at_its_joints_and_keeps_its_headings() -> None:
    paragraphs = [f"Paragraph {n}. " + "It goes on for a while. " * 10 for n in range(12)]
    found = chunks([Part("\n\n".join(paragraphs), ("Guide", "Visit"))])
    assert len(found) > 2
    assert all(one.startswith("Guide > Visit\n\nParagraph") for one in found)
    assert all(paragraph.strip() in "".join(found) for paragraph in paragraphs)


def test_a_torn_text_repeats_its_last_sentence() -> None:
    found = chunks([Part("A sentence that says something of its own here. " * 40)])
    assert all(one.startswith("A sentence") and one.endswith("here.") for one in found)


@given(st.text(alphabet=st.sampled_from("ab. \n。é"), max_size=4000), st.integers(50, 400))
def test_no_segment_is_too_long_and_nothing_is_lost(text: str, limit: int) -> None:
    found = chunks([Part(text)], limit)
    assert all(0 < len(one) <= limit for one in found)
    assert "".join(text.split()).count("é") <= "".join("".join(found).split()).count("é")


def retrieval(names: list[str], **data: Any) -> dict[str, Any]:
    return node(
        "find",
        "knowledge-retrieval",
        query_variable_selector=["sys", "query"],
        dataset_ids=names,
        retrieval_mode="multiple",
        **data,
    )


def asking(names: list[str], *, cites: bool = True) -> dict[str, Any]:
    """start → find → llm → answer, the model told what was found."""
    model = llm("llm")
    model["data"]["context"] = {"enabled": True, "variable_selector": ["find", "result"]}
    model["data"]["prompt_template"] = [
        {"role": "user", "text": "{{#context#}} | {{#sys.query#}}"},
    ]
    nodes = [
        node("start", "start", variables=[]),
        retrieval(names),
        model,
        node("answer", "answer", answer="{{#llm.text#}}"),
    ]
    edges = [edge("start", "find"), edge("find", "llm"), edge("llm", "answer")]
    return document(nodes, edges, "advanced-chat", features={"retriever_resource": {"enabled": cites}})


@pytest.fixture
def dataset(bench: Any) -> datasets.Dataset:
    made = datasets.create(bench.workspace_id, "Visitors", aliases=["foreign-id"])
    datasets.put_document(made.id, "museum.md", [OPENING, TICKETS])
    datasets.put_document(made.id, "bees.md", ["Bees dance in the hive."])
    return made


@pytest.mark.parametrize("by", ["id", "alias", "name"])
def test_a_model_is_told_what_was_found_and_the_answer_says_what_it_rests_on(
    bench: Any, dataset: datasets.Dataset, by: str
) -> None:
    name = {"id": dataset.id, "alias": "foreign-id", "name": "visitors"}[by]
    run = bench.start(bench.app(asking([name])), query="When does the museum open?")
    events = bench.events(run)
    assert events[-1]["data"]["outputs"]["answer"] == f"echo: {OPENING} | When does the museum open?"
    (end,) = [e for e in events if e["event"] == "message_end"]
    (cited,) = end["metadata"]["retriever_resources"]
    assert 0 < cited.pop("score") < 1
    assert {key: value for key, value in cited.items() if not key.endswith("_id")} == {
        "position": 1,
        "dataset_name": "Visitors",
        "document_name": "museum.md",
        "data_source_type": "upload_file",
        "content": OPENING,
        "hit_count": None,
        "word_count": 5,
        "segment_position": 1,
        "index_node_hash": None,
        "page": None,
        "files": None,
        "summary": None,
        "title": "museum.md",
    }
    assert cited["dataset_id"] == dataset.id
    message = conversations.history(run.conversation_id)[0]
    assert message.answer.startswith("echo:")


def test_an_app_that_shows_no_citations_has_none(bench: Any, dataset: datasets.Dataset) -> None:
    events = bench.run(asking([dataset.id], cites=False), query="museum")
    assert [e["metadata"]["retriever_resources"] for e in events if e["event"] == "message_end"] == [[]]


def test_the_result_has_the_members_that_apps_read(bench: Any, dataset: datasets.Dataset) -> None:
    find = retrieval([dataset.id])
    find["data"]["query_variable_selector"] = ["start", "q"]
    definition = chain_document(find, "result")
    definition["graph"]["nodes"][0]["data"]["variables"] = [{"variable": "q", "label": "Q", "type": "text-input"}]
    (found,) = bench.run(definition, {"q": "ticket"})[-1]["data"]["outputs"]["result"]
    assert (found["title"], found["content"]) == ("museum.md", TICKETS)
    assert found["metadata"]["_source"] == "knowledge"
    assert (found["metadata"]["position"], found["metadata"]["segment_position"]) == (1, 2)
    assert bench.run(definition, {"q": "zeppelin"})[-1]["data"]["outputs"]["result"] == []


@pytest.mark.parametrize(
    ("config", "found"),
    [
        ({"top_k": 1}, 1),
        ({"top_k": 5}, 2),
        ({"top_k": 5, "score_threshold": 0.99}, 0),
        ({"top_k": 5, "score_threshold": None}, 2),
        ({"top_k": "many"}, 2),
        (None, 2),
    ],
)
def test_the_number_and_the_least_score_are_the_authors(
    bench: Any, dataset: datasets.Dataset, config: Any, found: int
) -> None:
    definition = asking([dataset.id])
    definition["graph"]["nodes"][1]["data"]["multiple_retrieval_config"] = config
    events = bench.run(definition, query="museum tickets")
    (end,) = [e for e in events if e["event"] == "message_end"]
    cited = end["metadata"]["retriever_resources"]
    assert [one["position"] for one in cited] == list(range(1, found + 1))


def test_without_a_dataset_the_error_says_how_to_add_one(bench: Any) -> None:
    last = bench.run(asking(["9f1c-abc"]), query="x")[-1]["data"]
    assert last["status"] == "failed"
    assert "The dataset '9f1c-abc' is not on this server" in last["error"]
    assert "difyspec datasets create NAME --for 9f1c-abc" in last["error"]
    assert "names no dataset" in bench.run(asking([]), query="x")[-1]["data"]["error"]


def test_a_dataset_of_another_workspace_is_not_there(bench: Any) -> None:
    stranger = make_caller("eve@mail.example", "Eve")
    away = workspaces.create("Away", stranger.account_id or "")
    theirs = datasets.create(away.id, "Secrets", aliases=["shared-name"])
    datasets.put_document(theirs.id, "s.md", ["the secret museum"])
    for name in (theirs.id, "Secrets", "shared-name"):
        assert "is not on this server" in bench.run(asking([name]), query="museum")[-1]["data"]["error"]


def test_filters_on_metadata_are_refused_where_they_would_matter(bench: Any, dataset: datasets.Dataset) -> None:
    definition = asking([dataset.id])
    definition["graph"]["nodes"][1]["data"] |= {
        "metadata_filtering_mode": "manual",
        "metadata_filtering_conditions": {"conditions": [{"name": "author", "comparison_operator": "is"}]},
    }
    assert "Filters on metadata" in bench.run(definition, query="museum")[-1]["data"]["error"]


def test_a_failed_lookup_takes_the_fail_branch(bench: Any) -> None:
    find = retrieval(["none"], error_strategy="fail-branch")
    nodes = [
        node("start", "start", variables=[]),
        find,
        node("answer", "answer", answer="{{#find.error_type#}}"),
    ]
    edges = [edge("start", "find"), edge("find", "answer", "fail-branch")]
    last = bench.run(document(nodes, edges, "advanced-chat"), query="x")[-1]["data"]
    assert last["outputs"]["answer"] == "KnowledgeRetrievalError"
