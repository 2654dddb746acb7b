"""An operator brings documents in; whoever asks an app over HTTP is answered from them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.journeys.conftest import Live
from tests.journeys.events import run

OPENING = "The museum opens at nine."


def definition(mode: str, dataset: str, **config: Any) -> str:
    model = {"provider": "echo", "name": "echo", "mode": "chat", "completion_params": {}}
    named = {"datasets": {"datasets": [{"dataset": {"enabled": True, "id": dataset}}]}}
    return yaml.safe_dump({
        "version": "0.6.0", "kind": "app", "app": {"name": f"Asks {mode}", "mode": mode},
        "model_config": {"model": model, "pre_prompt": "", "dataset_configs": named, **config},
    })  # fmt: skip


@pytest.mark.parametrize("mode", ["chat", "completion", "agent-chat"])
def test_an_imported_app_answers_from_a_dataset_once_there_is_one(live: Live, tmp_path: Path, mode: str) -> None:
    ours = f"Hours {mode}"
    topic: dict[str, Any] = {"variable": "topic", "label": "Topic", "required": False}
    more = {"dataset_query_variable": "topic", "user_input_form": [{"paragraph": topic}], "pre_prompt": "{{#context#}}"}
    path = tmp_path / f"{mode}.yml"
    path.write_text(definition(mode, f"from-{mode}", **(more if mode == "completion" else {})))
    app_id = live.import_app(path, live.ada)
    question = "When does the museum open?"
    body: dict[str, Any] = {"inputs": {}, "query": question}
    if mode == "completion":
        body = {"inputs": {"topic": question}}

    missing = run(live, live.ada, app_id, body)[-1].data
    assert (missing["event"], missing["code"]) == ("error", "app_unavailable")
    assert f"difyspec datasets create NAME --for from-{mode}" in missing["message"]

    where = ("--workspace", live.ada.workspace_id)
    (made,) = json.loads(live.operator("datasets", "create", ours, "--for", f"from-{mode}", *where, "-o", "json"))
    (tmp_path / "museum.md").write_text(OPENING)
    live.operator("datasets", "import", ours, str(tmp_path / "museum.md"), *where)
    if mode == "agent-chat":
        first = run(live, live.ada, app_id, body)[-1].data
        assert first["metadata"]["retriever_resources"] == []  # it was not asked to look
        tool = f"dataset_{made['id'].replace('-', '_')}"
        call = f"{{tool_calls: [{{name: {tool}, arguments: {{query: museum}}}}]}}"
        body = {"inputs": {}, "query": f"When? [[echo {call}]]"}
    events = run(live, live.ada, app_id, body)
    end = events[-1].data
    assert end["event"] == "message_end"
    assert [one["content"] for one in end["metadata"]["retriever_resources"]] == [OPENING]
    said = "".join(e.data.get("answer", "") for e in events)
    assert said == f"echo: {question if mode == 'chat' else OPENING}"
