"""Tools made from OpenAPI documents: how documents are read, what is sent, and what never leaves."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from engine.definition.error import DefinitionError
from engine.tools import custom, openapi
from engine.tools.api import tools_of
from engine.tools.tool import Tool, ToolProblem
from store import tools
from tests.engine.conftest import Bench, make_caller
from tests.engine.test_agents import agent, thoughts
from tests.engine.test_easy_modes import answer
from tests.engine.test_tool_nodes import agent as agent_node
from tests.engine.test_tool_nodes import flow, last, tool
from tests.engine.test_tools import context
from tests.engine.web_server import listening

WEATHER = Path(__file__).resolve().parents[2] / "examples" / "tools" / "weather.yaml"
KEY = "k3y-of-the-weather"


class Api(ThreadingHTTPServer):
    """A server that answers each request with what it was sent."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Echo)
        self.seen: list[dict[str, Any]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"


class _Echo(BaseHTTPRequestHandler):
    server: Api

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        headers = {name.lower(): value for name, value in self.headers.items()}
        seen = {"method": self.command, "path": self.path, "headers": headers, "body": body}
        self.server.seen.append(seen)
        status = 302 if "redirect" in self.path else 418 if "teapot" in self.path else 200
        self.send_response(status)
        self.send_header("Content-Type", "image/png" if "picture" in self.path else "application/json")
        self.send_header("Location", f"http://127.0.0.1:{self.server.server_port}/v1/elsewhere")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(json.dumps(seen).encode())

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _answer

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def api() -> Iterator[Api]:
    server = Api()
    with listening(server):
        yield server


def document(paths: dict[str, Any], **more: Any) -> str:
    return json.dumps({"openapi": "3.1.0", "info": {"title": "T", "version": "1"}, "paths": paths, **more})


def one(paths: dict[str, Any], api: Api, key: str = "", **more: Any) -> Tool:
    definition, _ = openapi.load(document(paths, **more), api.url)
    (made,) = tools_of("t", definition, lambda: key)
    return made


def parameter(name: str, place: str, kind: str = "string", **more: Any) -> dict[str, Any]:
    return {"name": name, "in": place, "required": place == "path", "schema": {"type": kind}, **more}


def test_each_argument_goes_to_its_place(api: Api) -> None:
    listed = [
        parameter("id", "path"),
        parameter("q", "query"),
        parameter("tags", "query", "array"),
        parameter("ids", "query", "array", explode=False),
        parameter("X-Trace", "header"),
        parameter("lang", "cookie"),
    ]
    made = one({"/things/{id}/parts": {"get": {"operationId": "x", "parameters": listed}}}, api)
    arguments = {"id": "a/../b?", "q": "ä &", "tags": ["1", "2"], "ids": [3, 4], "X-Trace": "t", "lang": "de"}
    result = made.run(arguments, context())
    seen = api.seen[0]
    assert seen["path"] == "/v1/things/a%2F..%2Fb%3F/parts?q=%C3%A4+%26&tags=1&tags=2&ids=3%2C4"
    assert (seen["headers"]["x-trace"], seen["headers"]["cookie"]) == ("t", "lang=de")
    assert isinstance(result.value, dict)
    assert json.loads(result.text)["method"] == "GET"


def body(kind: str, schema: dict[str, Any], required: bool = True) -> dict[str, Any]:
    operation = {"operationId": "x", "requestBody": {"required": required, "content": {kind: {"schema": schema}}}}
    return {"/things": {"post": operation}}


PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name"],
}


@pytest.mark.parametrize(
    ("kind", "schema", "arguments", "sent"),
    [
        ("application/json", PERSON, {"name": "Bea", "age": "7"}, '{"name": "Bea", "age": 7}'),
        ("application/vnd.x+json", PERSON, {"name": "Bea"}, '{"name": "Bea"}'),
        ("application/x-www-form-urlencoded", PERSON, {"name": "B a", "age": 7}, "name=B+a&age=7"),
        ("application/json", {"type": "array", "items": {"type": "integer"}}, {"body": "[1, 2]"}, "[1, 2]"),
        ("text/plain", {"type": "string"}, {"body": "words"}, "words"),
        ("application/json", {"allOf": [PERSON, {"properties": {"x": {"type": "boolean"}}}]},
         {"name": "B", "x": "true"}, '{"name": "B", "x": true}'),
        ("application/json", {"$ref": "#/components/schemas/Person"}, {"name": "B"}, '{"name": "B"}'),
    ],
)  # fmt: skip
def test_a_body_is_made_of_its_members(
    api: Api, kind: str, schema: dict[str, Any], arguments: dict[str, Any], sent: str
) -> None:
    made = one(body(kind, schema), api, components={"schemas": {"Person": PERSON}})
    made.run(arguments, context())
    assert api.seen[0]["body"] == sent
    assert api.seen[0]["headers"]["content-type"] == kind


def test_what_is_required_must_be_given(api: Api) -> None:
    made = one(body("application/json", PERSON), api)
    assert made.schema()["required"] == ["name"]
    with pytest.raises(ToolProblem, match="needs the argument 'name'"):
        made.run({"age": 7}, context())


@pytest.mark.parametrize(
    ("scheme", "header", "value"),
    [
        ({"type": "http", "scheme": "bearer"}, "authorization", f"Bearer {KEY}"),
        ({"type": "http", "scheme": "basic"}, "authorization", "Basic " + base64.b64encode(KEY.encode()).decode()),
        ({"type": "apiKey", "in": "header", "name": "X-Key"}, "x-key", KEY),
        ({"type": "oauth2", "flows": {}}, "authorization", f"Bearer {KEY}"),
    ],
)
def test_a_credential_is_sent_as_the_document_says_and_never_told(
    api: Api, scheme: dict[str, Any], header: str, value: str
) -> None:
    made = one({"/a": {"get": {}}}, api, KEY, components={"securitySchemes": {"s": scheme}})
    result = made.run({}, context())
    assert api.seen[0]["headers"][header] == value
    assert KEY not in result.text
    assert value.removeprefix("Basic ") not in result.text
    assert KEY not in json.dumps(result.value)


def test_a_credential_in_the_query_is_not_told_by_an_error(api: Api) -> None:
    scheme = {"type": "apiKey", "in": "query", "name": "key"}
    made = one({"/teapot": {"get": {}}}, api, KEY, components={"securitySchemes": {"s": scheme}})
    with pytest.raises(ToolProblem, match="status 418") as refused:
        made.run({}, context())
    assert api.seen[0]["path"] == f"/v1/teapot?key={KEY}"
    assert KEY not in str(refused.value)


def test_a_redirect_is_not_followed_with_the_credential(api: Api) -> None:
    made = one({"/redirect": {"get": {}}}, api, KEY)
    with pytest.raises(ToolProblem, match="status 302"):
        made.run({}, context())
    assert len(api.seen) == 1


def test_a_private_address_is_refused_unless_it_is_allowed(api: Api) -> None:
    with pytest.raises(ToolProblem, match="loopback"):
        one({"/a": {"get": {}}}, api).run({}, context(private=False))
    assert api.seen == []


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"id": ".."}, "cannot be"),
        ({"id": ""}, "cannot be"),
        ({"id": "x", "X-Trace": "a\r\nHost: evil"}, "cannot have"),
    ],
)
def test_arguments_cannot_change_the_address_or_add_headers(api: Api, arguments: dict[str, str], reason: str) -> None:
    listed = [parameter("id", "path"), parameter("X-Trace", "header"), parameter("Authorization", "header")]
    made = one({"/things/{id}": {"get": {"parameters": listed}}}, api)
    assert "Authorization" not in made.schema()["properties"]
    with pytest.raises(ToolProblem, match=reason):
        made.run(arguments, context())
    assert api.seen == []


def painter(bench: Bench, api: Api) -> dict[str, Any]:
    """An API in the workspace that draws, as an app names it."""
    told = document({"/picture": {"get": {"operationId": "draw", "summary": "Draw"}}})
    definition, _ = openapi.load(told, api.url)
    tools.save(bench.workspace_id, "Painter", definition=definition, source="-", sealed_credential=None)
    return {"provider_type": "api", "provider_id": "x", "provider_name": "Painter", "tool_name": "draw"}


@pytest.mark.parametrize("strategy", ["function_call", "react"])
def test_a_file_that_a_tool_made_is_told_between_the_choice_and_what_it_gave(
    bench: Bench, configure: Callable[..., None], api: Api, strategy: str
) -> None:
    configure(allow_private_addresses=True, secret_key=SECRET)
    script = {"tool_calls": [{"name": "draw", "arguments": {}}]}
    run = bench.start(bench.app(agent(script, painter(bench, api), strategy=strategy)), query="Draw a bee")
    events = bench.events(run)
    told = [event["event"] for event in events]
    assert told[:4] == ["agent_thought", "agent_thought", "message_file", "agent_thought"]
    (file,) = [event for event in events if event["event"] == "message_file"]
    assert (file["type"], file["belongs_to"]) == ("image", "assistant")
    assert "sign=" in file["url"]
    assert [thought["message_files"] for thought in thoughts(events)[:3]] == [[], [], [file["id"]]]
    assert json.loads(thoughts(events)[2]["observation"]) == {"draw": "The API sent the file 'picture.png'"}
    (attached,) = events[-1]["files"]
    assert (attached["related_id"], attached["filename"], attached["mime_type"]) == (
        file["id"],
        "picture.png",
        "image/png",
    )
    assert bench.stored(run).outputs["files"][0]["related_id"] == file["id"]


@pytest.mark.parametrize("kind", ["tool", "agent"])
def test_a_file_that_a_tool_made_is_an_output_of_its_node(
    bench: Bench, configure: Callable[..., None], api: Api, kind: str
) -> None:
    configure(allow_private_addresses=True, secret_key=SECRET)
    listed = painter(bench, api)
    script = {"tool_calls": [{"name": "draw", "arguments": {}}]}
    made = tool("t", "Painter", "draw") if kind == "tool" else agent_node(script, tools=[{**listed, "enabled": True}])
    (file,) = last(bench.run(flow(made, "files"), {"text": "bee"}))["outputs"]["files"]
    assert (file["type"], file["filename"], file["transfer_method"]) == ("image", "picture.png", "tool_file")
    assert "sign=" in file["url"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[]", "must be a mapping"),
        ("swagger: '2.0'", "Swagger 2.0"),
        ("openapi: 3.0.0\npaths: {}", "no operation"),
        ("openapi: 3.0.0\npaths: {/a: {get: {}}}", "--server"),
        ("openapi: 3.0.0\nservers: [{url: 'file:///etc'}]\npaths: {/a: {get: {}}}", "--server"),
        ("openapi: 3.0.0\nservers: [{url: 'https://u:p@x.example'}]\npaths: {/a: {get: {}}}", "plain URL"),
        ("openapi: [", "Invalid YAML"),
    ],
)
def test_a_document_that_cannot_be_used_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(DefinitionError, match=reason):
        openapi.load(text)


def test_what_cannot_be_sent_is_left_out_and_told() -> None:
    paths = {
        "/a": {"get": {}},
        "/b": body("multipart/form-data", PERSON)["/things"],
        "/c/{id}": {"get": {}},
        "/d": {"get": {"parameters": [{"$ref": "other.yaml#/x"}]}},
    }
    definition, warnings = openapi.load(document(paths), "https://x.example")
    assert [operation["path"] for operation in definition["operations"]] == ["/a"]
    assert [warning.split(" was")[0] for warning in warnings] == ["POST /b", "GET /c/{id}", "GET /d"]


def test_a_schema_that_contains_itself_ends_somewhere() -> None:
    tree = {"type": "object", "properties": {"child": {"$ref": "#/components/schemas/Tree"}}}
    paths = body("application/json", {"$ref": "#/components/schemas/Tree"})
    definition, _ = openapi.load(document(paths, components={"schemas": {"Tree": tree}}), "https://x.example")
    assert len(json.dumps(definition)) < 5000


def test_a_schema_that_unfolds_to_any_size_is_cut() -> None:
    properties = {f"p{number}": {"$ref": "#/components/schemas/Tree"} for number in range(30)}
    paths = body("application/json", {"$ref": "#/components/schemas/Tree"})
    schemas = {"Tree": {"type": "object", "properties": properties}}
    definition, _ = openapi.load(document(paths, components={"schemas": schemas}), "https://x.example")
    assert len(json.dumps(definition)) < 1_000_000


def test_servers_with_variables_and_relative_ones_are_completed() -> None:
    paths = {"/a": {"get": {}}}
    servers = [{"url": "https://{region}.x.example/v1/", "variables": {"region": {"default": "eu"}}}]
    assert openapi.load(document(paths, servers=servers))[0]["server"] == "https://eu.x.example/v1"
    relative = document(paths, servers=[{"url": "/v2"}])
    assert openapi.load(relative, "https://x.example")[0]["server"] == "https://x.example/v2"


SECRET = "the-servers-own-secret"


def import_weather(bench: Bench, api: Api, credential: str | None = KEY) -> tools.Provider:
    definition, warnings = openapi.load(WEATHER.read_bytes(), api.url)
    assert warnings == []
    sealed = custom.seal(SECRET, credential) if credential else None
    return tools.save(bench.workspace_id, "weather", definition=definition, source="-", sealed_credential=sealed)


FORECAST = {"provider_type": "api", "provider_id": "another-servers-id", "provider_name": "Weather"}
CALL = {"tool_calls": [{"name": "getForecast", "arguments": {"place": "Oslo"}}]}


def test_an_agent_calls_an_imported_operation_with_the_stored_credential(
    bench: Bench, configure: Callable[..., None], api: Api
) -> None:
    configure(allow_private_addresses=True, secret_key=SECRET)
    provider = import_weather(bench, api)
    assert provider.sealed_credential is not None
    assert KEY not in provider.sealed_credential
    app = bench.app(agent(CALL, {**FORECAST, "tool_name": "getForecast"}))
    events = bench.events(bench.start(app, query="Rain?"))
    assert events[-1]["event"] == "message_end"
    assert api.seen[0]["path"] == "/v1/places/Oslo/forecast?days=3"
    assert api.seen[0]["headers"]["x-api-key"] == KEY
    assert KEY not in json.dumps(events)
    assert thoughts(events)[1]["tool_labels"]["getForecast"]["en_US"] == "Forecast"
    assert "places/Oslo" in answer(events)


def test_a_credential_of_the_settings_wins(bench: Bench, configure: Callable[..., None], api: Api) -> None:
    configure(allow_private_addresses=True, secret_key=SECRET, tool_credentials={"WEATHER": "from settings"})
    import_weather(bench, api)
    made = tool("t", "weather", "getForecast", place=("mixed", "Oslo"))
    assert last(bench.run(flow(made, "json")))["status"] == "succeeded"
    assert api.seen[0]["headers"]["x-api-key"] == "from settings"


def test_a_credential_under_another_key_is_not_used(bench: Bench, configure: Callable[..., None], api: Api) -> None:
    configure(allow_private_addresses=True, secret_key="another secret")
    import_weather(bench, api)
    made = tool("t", "weather", "getForecast", place=("mixed", "Oslo"))
    assert "import it again" in last(bench.run(flow(made, "json")))["error"]
    assert api.seen == []


def test_an_api_of_another_workspace_is_not_there(bench: Bench, configure: Callable[..., None], api: Api) -> None:
    from store import workspaces

    configure(allow_private_addresses=True, secret_key=SECRET)
    eve = make_caller("eve@mail.example", "Eve")
    elsewhere = Bench(eve, workspaces.create("Elsewhere", eve.account_id or "").id)
    provider = import_weather(elsewhere, api)
    for provider_id in ("weather", provider.id):
        made = tool("t", provider_id, "getForecast", place=("mixed", "Oslo"))
        assert "is not on this server" in last(bench.run(flow(made, "json")))["error"]
    assert api.seen == []


def test_importing_again_replaces_the_operations_and_keeps_the_credential(bench: Bench, api: Api) -> None:
    first = import_weather(bench, api)
    again = import_weather(bench, api, None)
    assert (again.id, again.sealed_credential) == (first.id, first.sealed_credential)
    assert len(tools.for_operator_list_all()) == 1
    assert tools.for_operator_delete(first.id)
    assert not tools.for_operator_delete(first.id)


SCHEMES = {
    "key": {"type": "apiKey", "in": "query", "name": "key"},
    "token": {"type": "http", "scheme": "bearer"},
    "certificate": {"type": "mutualTLS"},
}


@pytest.mark.parametrize(
    ("whole", "operation", "kind"),
    [
        (None, None, "query"),
        ([{"certificate": []}, {"token": []}], None, "bearer"),
        (None, [{"token": []}], "bearer"),
        ([{"none": []}], [{"key": []}], "query"),
        ("odd", [1], "query"),
    ],
)
def test_the_credential_is_sent_as_the_document_asks_for_it(whole: Any, operation: Any, kind: str) -> None:
    asked = {"security": whole} if whole else {}
    told = document({"/a": {"get": {"security": operation}}}, components={"securitySchemes": SCHEMES}, **asked)
    assert openapi.load(told, "http://a.test")[0]["auth"]["kind"] == kind


def test_an_address_that_is_none_is_named() -> None:
    with pytest.raises(DefinitionError, match="must begin with http:// or https:// and name a host: 'ftp://x'"):
        openapi.load(document({"/a": {"get": {}}}), "ftp://x")
