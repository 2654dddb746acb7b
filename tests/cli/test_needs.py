"""What an import says that an app needs of this server."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.test_commands import ROOT, Shell

WEATHER = ROOT / "examples" / "tools" / "weather.yaml"
AGENT = """
app: {mode: agent-chat, name: Guide}
kind: app
version: 0.6.0
model_config:
  model: {provider: echo, name: echo, mode: chat, completion_params: {}}
  dataset_configs: {datasets: {datasets: [{dataset: {enabled: true, id: "a b"}}]}}
  agent_mode:
    enabled: true
    tools:
      - {provider_id: time, provider_name: time, tool_name: weekday, enabled: true}
      - {provider_id: x, provider_name: Weather, tool_name: getForecast, enabled: true}
      - {provider_id: x, provider_name: Weather, tool_name: other, enabled: false}
"""
TOOL = "{type: tool, provider_type: api, provider_id: x, provider_name: Weather, tool_name: getForecast}"
LOOK = "{type: knowledge-retrieval, dataset_ids: ['a b']}"
FLOW = f"""
app: {{mode: workflow, name: Flow}}
kind: app
version: 0.6.0
workflow:
  graph:
    nodes: [{{id: s, data: {{type: start, variables: []}}}}, {{id: t, data: {TOOL}}}, {{id: k, data: {LOOK}}}]
    edges: [{{source: s, target: t}}, {{source: t, target: k}}]
"""


@pytest.mark.parametrize("definition", [AGENT, FLOW])
def test_an_import_names_once_what_an_app_needs_and_is_not_here(tmp_path: Path, definition: str) -> None:
    shell, file = Shell(tmp_path), tmp_path / "app.yml"
    file.write_text(definition)
    shell("accounts", "create", "ada@example.com")
    said = shell("apps", "import", str(file))
    assert said.count("The dataset 'a b' is not on this server: until `difyspec datasets create NAME --for 'a b'`") == 1
    assert said.count("The tool 'getForecast' of 'Weather' is not on this server: until `difyspec tools import`") == 1
    assert said.count("is not on this server") == 2
    shell("datasets", "create", "Visitors", "--for", "a b")
    shell("tools", "import", str(WEATHER))
    assert "not on this server" not in shell("apps", "import", str(file))
