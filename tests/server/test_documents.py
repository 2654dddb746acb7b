"""The contract is served, and whoever has it already is told so."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from server.blueprint import DEFAULT, Blueprint
from server.documents import LOGO, STATIC, UI, documents
from tests.server.conftest import CONTRACT, Client


def test_the_contract_is_served_as_it_is_written(call: Client) -> None:
    assert call("GET", "/openapi.yaml").content == CONTRACT.read_bytes()
    assert call("GET", "/openapi.json").json() == yaml.safe_load(CONTRACT.read_text())


def test_a_known_document_is_not_sent_again(call: Client) -> None:
    tag = call("GET", "/openapi.json").headers["etag"]
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        answer = call("GET", "/openapi.json", headers={"If-None-Match": known})
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", tag)
    assert call("GET", "/openapi.json", headers={"If-None-Match": '"other"'}).status_code == 200


def test_the_root_of_the_api_links_to_its_documents(call: Client) -> None:
    for path in ("", "/"):
        index = call("GET", path).json()
        assert index["docs"] == "/tiny/docs"
        assert all(call("GET", link, base="").status_code == 200 for link in index["documents"])


def test_the_docs_page_loads_nothing_from_elsewhere(call: Client) -> None:
    page = call("GET", "/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert not re.search(r'(src|href)="(https?:)?//', page.text)
    sources = re.findall(r'src="([^"]+)"', page.text)
    assert sources
    for source in sources:
        script = call("GET", source, base="")
        assert script.headers["content-type"].startswith("text/javascript")
        assert "immutable" in script.headers["cache-control"]
        assert LOGO not in script.content
    assert LOGO in (STATIC / UI).read_bytes(), "another version loads its logo from elsewhere; look where"
    assert "script-src 'self';" in page.headers["content-security-policy"]


def test_the_views_of_the_contract_are_served_too() -> None:
    served = set(documents(Blueprint(DEFAULT), "1"))
    for view in ("", "-3.1", "-3.2"):
        assert {f"/openapi/v1/openapi{view}.yaml", f"/openapi/v1/openapi{view}.json"} <= served
    assert Path(DEFAULT).name == "openapi.yaml"


def test_a_document_is_not_written_to(call: Client) -> None:
    answer = call("PUT", "/openapi.json")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, OPTIONS")
