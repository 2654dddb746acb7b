"""Definitions that somebody has damaged: real ones, of which some parts are something else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml
from hypothesis import strategies as st

from engine.definition.yaml_guard import read
from tests.engine.old_definitions import OLD
from tests.engine.test_damaged_nodes import GOOD

Place = tuple[str | int, ...]

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
_EDGES = [{"source": "start", "target": "it", "sourceHandle": "source"}]
_EVERYTHING = {
    "opening_statement": "Hi {{a}}", "suggested_questions": ["q"], "retriever_resource": {"enabled": True},
    "sensitive_word_avoidance": {"enabled": True, "type": "keywords", "config": {
        "keywords": "bad", "inputs_config": {"enabled": True, "preset_response": "no"},
        "outputs_config": {"enabled": True, "preset_response": "no"}}},
    "file_upload": {"enabled": True, "image": {"enabled": True, "number_limits": 3, "transfer_methods": ["local_file"]},
                    "allowed_file_types": ["image"], "allowed_file_extensions": ["png"], "number_limits": 3},
    "text_to_speech": {"enabled": True, "autoPlay": "enabled", "voice": "v", "language": "en"},
    "speech_to_text": {"enabled": False}, "more_like_this": {"enabled": False}, "annotation_reply": {"enabled": True},
}  # fmt: skip
_VARIABLES = [
    {"variable": "a", "label": "A", "type": "text-input", "required": False, "max_length": 48, "default": "x"},
    {"variable": "b", "label": "B", "type": "select", "options": ["1", "2"], "default": "1"},
    {"variable": "c", "label": "C", "type": "number", "default": 1},
    {"variable": "d", "label": "D", "type": "json_object", "json_schema": {"type": "object", "properties": {"k": {}}}},
    {"variable": "e", "label": "E", "type": "file-list", "allowed_file_types": ["image"], "max_length": 2},
    {"variable": "f", "label": "F", "type": "checkbox", "default": True},
]
_CONFIG = {
    **_EVERYTHING,
    "model": {"provider": "echo", "name": "echo", "mode": "chat", "completion_params": {"temperature": 0.5}},
    "pre_prompt": "You are {{a}}.", "prompt_type": "simple", "dataset_query_variable": "a",
    "chat_prompt_config": {"prompt": [{"role": "system", "text": "x"}, {"role": "user", "text": "{{#query#}}"}]},
    "completion_prompt_config": {"prompt": {"text": "{{#query#}}"},
    "conversation_histories_role": {"user_prefix": "U"}},
    "user_input_form": [{one["type"]: {k: v for k, v in one.items() if k != "type"}} for one in _VARIABLES],
    "agent_mode": {"enabled": True, "strategy": "react", "max_iteration": 2, "prompt": {"first_prompt": "x"},
                   "tools": [{"provider_type": "builtin", "provider_id": "time", "tool_name": "current_time",
                              "tool_parameters": {"format": "x"}, "enabled": True}]},
    "dataset_configs": {"retrieval_model": "multiple", "top_k": 2, "datasets": {"datasets": [
        {"dataset": {"id": "d1", "enabled": True}}]}},
    "external_data_tools": [{"enabled": True, "type": "api", "variable": "a", "label": "x", "config": {}}],
}  # fmt: skip

KEYED = (
    {"id": "it", "data": {
        "type": "http-request", "title": "it", "method": "post",
            "url": "http://ada:k-url-pw@127.0.0.1:1/?api_key=k-query&q=1",
        "authorization": {"type": "api-key", "config": {"type": "custom", "header": "X-Api",
            "api_key": "k-authorization"}},
        "headers": "Accept: text/plain\nX-API-Key: k-header\nAuthorization: Bearer k-bearer\nX-Ref: {{#env.KEY#}}",
        "params": "page:1\naccess_token:k-param", "timeout": {},
        "body": {"type": "form-data", "data": [
            {"key": "password", "type": "text", "value": "k-form"}, {"key": "q", "type": "text", "value": "plain"}]}}},
    {"id": "tool", "data": {
        "type": "tool", "title": "t", "provider_id": "p", "provider_type": "api", "tool_name": "t",
        "tool_configurations": {"api_token": "k-configuration", "limit": "3"},
        "tool_parameters": {"secret_key": {"type": "mixed", "value": "k-parameter"}, "q": {"type": "mixed",
            "value": "x"}}}},
    {"id": "agent", "data": {
        "type": "agent", "title": "a", "agent_strategy_name": "react", "agent_parameters": {"tools": {
            "type": "constant", "value": [{"tool_name": "t", "provider_name": "p",
            "credentials": {"user": "k-credentials"},
                                           "parameters": {"apiKey": {"auto": 0, "value": "k-agent"}}}]}}}},
)  # fmt: skip


def _app(mode: str, **body: Any) -> dict[str, Any]:
    about = {"name": "N", "mode": mode, "icon": "x", "icon_background": "#fff", "description": "d"}
    return {"version": "0.6.0", "kind": "app", "app": about, **body}


def flow_of(mode: str, *nodes: dict[str, Any]) -> dict[str, Any]:
    start = {"id": "start", "data": {"type": "start", "title": "s", "variables": _VARIABLES}}
    variables = [
        {"id": "1", "name": "KEY", "value_type": "secret", "value": "s3cret-of-the-author"},
        {"id": "2", "name": "n", "value_type": "number", "value": 1},
        {"id": "3", "name": "l", "value_type": "array[object]", "value": [{"a": 1}]},
    ]
    return _app(mode, workflow={
        "graph": {"nodes": [start, *nodes], "edges": _EDGES}, "features": _EVERYTHING,
        "environment_variables": variables,
        "conversation_variables": [{"id": "4", "name": "v", "value_type": "string", "value": "x"}],
    })  # fmt: skip


def sound() -> list[dict[str, Any]]:
    """The definitions to damage: the examples, old exports, one with each kind of node, one of each mode."""
    made = [read(path.read_bytes())[0] for path in sorted(EXAMPLES.glob("*.yml"))]
    made += [deepcopy(old.document) for old in OLD.values()]
    for kind, data in GOOD.items():
        mode = "advanced-chat" if kind in ("answer", "assigner") else "workflow"
        made.append(flow_of(mode, {"id": "it", "data": {"title": "it", **data, "type": kind}}))
    made.append(flow_of("workflow", *KEYED))
    made += [_app(mode, model_config=_CONFIG) for mode in ("chat", "agent-chat", "completion")]
    return made


def places(value: Any, at: Place = ()) -> Iterator[Place]:
    """The place of each part of a value, of the whole first."""
    yield at
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        yield from places(part, (*at, key))


def _deep(levels: int) -> Any:
    value: Any = "x"
    for level in range(levels):
        value = [value] if level % 2 else {"type": value}
    return value


_SCALARS = st.sampled_from([
    None, True, False, 0, -1, 1, 2**63 - 1, -(2**63), 1.5, 1e308, -0.0, "", " ", "x", "true", "1", "[", "{}",
    "[1, [2]]",
    '{"a": NaN}', "[1e999]", '["\\ud800"]', '"\\u0000"', "[" * 3000, "9" * 5000, "1e999", "inf", "x" * 5000,
    "\u202e", "é" * 300,
    "\U0001f9ea", "{{#start.a#}}", "{{#env.KEY#}}", "{{#a.b.c#}}", "{{a}}", "start", "it", "env", "\n", "a\tb", "<b>",
    "2024-01-01", "object", "string", "secret", "array[file]", "file", "api-key", "email", "0.6.0", "#",
    "..", "\\", "%s",
])  # fmt: skip
_KEYS = st.sampled_from(["type", "value", "enabled", "id", "data", "variable", "config", "a", "", "é", "0", "title"])
_ANYTHING = st.recursive(
    _SCALARS | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=8) | st.builds(_deep, st.integers(1, 60)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner, max_size=4),
    max_leaves=8,
)


@st.composite
def damaged(draw: st.DrawFn) -> dict[str, Any] | Any:
    """A sound definition, of which up to four parts are replaced, left out, doubled or moved."""
    made = deepcopy(draw(st.sampled_from(SOUND)))
    for _ in range(draw(st.integers(1, 4))):
        every = list(places(made))
        at = every[draw(st.integers(0, len(every) - 1))]
        if not at:
            continue
        owner = made
        for key in at[:-1]:
            owner = owner[key]
        match draw(st.sampled_from(["replace", "replace", "replace", "drop", "double", "move"])):
            case "replace":
                owner[at[-1]] = draw(_ANYTHING)
            case "drop":
                del owner[at[-1]]
            case "double" if isinstance(owner, list):
                owner.append(deepcopy(owner[int(at[-1])]))
            case _:
                other: Any = made
                for key in every[draw(st.integers(0, len(every) - 1))]:
                    other = other[key]
                owner[at[-1]] = deepcopy(other)
    return made


SOUND = sound()
_PIECES = st.sampled_from([
    "a", "app", "workflow", ": ", ":", "- ", "\n", "\n  ", "\n    ", "[", "]", "{", "}", ", ", "? ", "&a ",
    "*a", "<<: ", "!!int ",
    "!!float ", "!!bool ", "!!null ", "!!str ", "!!map ", "!!seq ", "!!python/object:os.x ", "! ", "|\n",
    ">-\n", "'", '"',
    "\\u", "\\x", "#", "%TAG ! x\n", "%YAML 1.1\n", "---\n", "...\n", "\t", "1:30", "0x", "0b1", "1_",
    ".nan", ".inf", "~", "=",
    "2024-01-01", "é", "\u2028", "\x85", "\x7f", "\ud800", "\ufeff", "\0", "on", "true", "9" * 30, "1e9",
    "kind", "version",
])  # fmt: skip
TEXTS = st.lists(_PIECES, max_size=25).map("".join) | st.text(max_size=60)
BYTES = st.binary(max_size=60) | TEXTS.map(lambda text: text.encode("utf-8", "surrogatepass"))


def written(value: Any, as_yaml: bool) -> str:
    """The text of a definition."""
    if as_yaml:
        return yaml.dump(value, Dumper=yaml.CSafeDumper, allow_unicode=True, sort_keys=False)
    return json.dumps(value)
