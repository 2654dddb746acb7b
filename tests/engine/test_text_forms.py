"""How values read in texts: as plain text in prompts and requests, as Markdown in answers."""

from __future__ import annotations

import json
from typing import Any

from tests.engine.conftest import Bench
from tests.engine.graphs import code, document, edge, llm, node

# type, value, plain text, Markdown
FORMS: dict[str, tuple[str, Any, str, str]] = {
    "short": ("string", "é", "é", "é"),
    "nothing": ("string", None, "", ""),
    "whole": ("number", 3, "3", "3"),
    "part": ("number", 2.5, "2.5", "2.5"),
    "switch": ("boolean", True, "True", "True"),
    "object": ("object", {"a": "it's", "n": None}, '{"a": "it\'s", "n": null}', '{\n  "a": "it\'s",\n  "n": null\n}'),
    "none": ("array[string]", [], "", ""),
    "words": ("array[string]", ["a", "é"], '["a", "é"]', "- a\n- é"),
    "numbers": ("array[number]", [1, 2.5], "[1, 2.5]", "- 1\n- 2.5"),
    "switches": ("array[boolean]", [True, False], "[true, false]", "- True\n- False"),
    "objects": ("array[object]", [{"a": "it's"}, {"b": True}], '[{"a": "it\'s"}, {"b": true}]',
                '- {"a": "it\'s"}\n- {"b": true}'),
    "gaps": ("array[object]", [{"a": 1}, None], '[{"a": 1}, null]', '- {"a": 1}\n- '),
}  # fmt: skip


def test_each_value_reads_as_json_or_as_lines_never_as_python_prints_it(
    bench: Bench, prompts: list[list[tuple[str, str]]]
) -> None:
    values = json.dumps({name: form[1] for name, form in FORMS.items()})
    made = code(
        "c",
        f"import json\ndef main(): return json.loads({values!r})",
        **{name: form[0] for name, form in FORMS.items()},
    )
    text = "|".join("{{#c." + name + "#}}" for name in FORMS)
    nodes = [node("start", "start", variables=[]), made, llm("llm", text), node("answer", "answer", answer=text)]
    edges = [edge("start", "c"), edge("c", "llm"), edge("llm", "answer")]
    events = bench.run(document(nodes, edges, "advanced-chat"))
    told = "".join(event["answer"] for event in events if event["event"] == "message")
    assert events[-1]["data"]["error"] is None
    assert events[-1]["data"]["outputs"]["answer"] == told
    assert dict(zip(FORMS, told.split("|"), strict=True)) == {name: form[3] for name, form in FORMS.items()}
    assert dict(zip(FORMS, prompts[0][-1][1].split("|"), strict=True)) == {
        name: form[2] for name, form in FORMS.items()
    }
