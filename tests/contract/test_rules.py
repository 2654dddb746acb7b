"""The contract breaks no house rule, and each rule catches what it is there for."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

import contract
from contract import rules
from contract.rules_operations import STATUS_OF
from store.refusal import OAUTH_STATUS, REFUSALS

Change = Callable[[dict[str, Any]], Any]
PLANTED: dict[str, list[Change]] = {}


def plant(rule: str) -> Callable[[Change], Change]:
    """Register a change to the contract that ``rule`` must catch."""

    def keep(change: Change) -> Change:
        PLANTED.setdefault(rule, []).append(change)
        return change

    return keep


def operation(document: dict[str, Any], path: str, method: str = "get") -> dict[str, Any]:
    """One operation of a document."""
    found: dict[str, Any] = document["paths"][path][method]
    return found


@plant("names")
def an_operation_id_in_snake_case(document: dict[str, Any]) -> None:
    operation(document, "/apps")["operationId"] = "list_apps"


@plant("names")
def an_operation_id_twice(document: dict[str, Any]) -> None:
    operation(document, "/apps")["operationId"] = "listWorkspaces"


@plant("names")
def an_undeclared_tag(document: dict[str, Any]) -> None:
    operation(document, "/apps")["tags"] = ["console"]


@plant("names")
def no_description(document: dict[str, Any]) -> None:
    del operation(document, "/apps")["description"]


@plant("security")
def unstated_security(document: dict[str, Any]) -> None:
    del operation(document, "/apps")["security"]


@plant("security")
def optional_security(document: dict[str, Any]) -> None:
    operation(document, "/apps")["security"] = [{"bearer": []}, {}]


@plant("security")
def a_scope_that_clients_are_not_told_of(document: dict[str, Any]) -> None:
    operation(document, "/apps")["x-scope"] = "workspace:write"


@plant("security")
def a_guarded_operation_without_401(document: dict[str, Any]) -> None:
    del operation(document, "/apps")["responses"]["401"]


@plant("security")
def a_bearer_operation_that_names_no_subjects(document: dict[str, Any]) -> None:
    del operation(document, "/apps")["x-subject-types"]


@plant("limits")
def a_limit_without_429(document: dict[str, Any]) -> None:
    del operation(document, "/apps")["responses"]["429"]


@plant("limits")
def a_limit_by_something_unknown(document: dict[str, Any]) -> None:
    operation(document, "/apps")["x-rate-limit"][0]["key"] = "moon"


@plant("limits")
def two_windows_that_share_a_bucket(document: dict[str, Any]) -> None:
    operation(document, "/oauth/device/lookup")["x-rate-limit"][0]["bucket"] = "device-code"


@plant("statuses")
def a_path_id_without_404(document: dict[str, Any]) -> None:
    del operation(document, "/apps/{app_id}/describe")["responses"]["404"]


@plant("statuses")
def a_body_without_415(document: dict[str, Any]) -> None:
    del operation(document, "/apps/{app_id}/run", "post")["responses"]["415"]


@plant("errors")
def an_example_under_another_code(document: dict[str, Any]) -> None:
    examples = document["components"]["responses"]["NotFound"]["content"]["application/json"]["examples"]
    examples["conflict"] = examples.pop("not_found")


@plant("errors")
def a_code_at_the_wrong_status(document: dict[str, Any]) -> None:
    answers = operation(document, "/apps")["responses"]
    answers["404"] = answers["422"]


@plant("transport")
def a_code_of_the_transport_that_is_not_told(document: dict[str, Any]) -> None:
    document["info"]["description"] = document["info"]["description"].replace("`uri_too_long`", "`too_long`")


@plant("transport")
def an_answer_of_the_transport_without_its_name(document: dict[str, Any]) -> None:
    del document["x-transport-responses"]["408"]["headers"]["X-Request-Id"]


@plant("transport")
def an_answer_of_the_transport_of_another_status(document: dict[str, Any]) -> None:
    document["x-transport-responses"]["431"]["content"]["application/json"]["examples"]["request_timeout"] = {
        "value": {"code": "request_timeout", "status": 431}
    }


@plant("headers")
def a_response_without_a_request_id(document: dict[str, Any]) -> None:
    del document["components"]["responses"]["NotFound"]["headers"]["X-Request-Id"]


@plant("headers")
def a_challenge_left_out(document: dict[str, Any]) -> None:
    del document["components"]["responses"]["Unauthorized"]["headers"]["WWW-Authenticate"]


@plant("headers")
def a_token_that_may_be_cached(document: dict[str, Any]) -> None:
    del operation(document, "/oauth/device/token", "post")["responses"]["200"]["headers"]["Cache-Control"]


@plant("order")
def a_template_before_the_literal(document: dict[str, Any]) -> None:
    paths = document["paths"]
    paths["/account/sessions/self"] = paths.pop("/account/sessions/self")


@plant("queries")
def a_query_parameter_that_its_model_lacks(document: dict[str, Any]) -> None:
    del document["components"]["schemas"]["AppListQuery"]["properties"]["tag"]


@plant("queries")
def a_bound_that_differs_from_the_model(document: dict[str, Any]) -> None:
    document["components"]["schemas"]["AppListQuery"]["properties"]["limit"]["maximum"] = 100


@plant("streams")
def an_event_without_a_mapping(document: dict[str, Any]) -> None:
    document["components"]["schemas"]["RunEvent"]["discriminator"]["mapping"].pop("text_chunk")


@plant("streams")
def an_event_schema_with_another_name(document: dict[str, Any]) -> None:
    document["components"]["schemas"]["ErrorEvent"]["properties"]["event"]["enum"] = ["oops"]


@plant("streams")
def an_untyped_stream(document: dict[str, Any]) -> None:
    del operation(document, "/apps/{app_id}/run", "post")["x-stream"]


@plant("bounds")
def an_endless_string(document: dict[str, Any]) -> None:
    del document["components"]["schemas"]["TagItem"]["properties"]["name"]["maxLength"]


@plant("bounds")
def an_integer_past_64_bits(document: dict[str, Any]) -> None:
    del document["components"]["parameters"]["Page"]["schema"]["maximum"]


@plant("bounds")
def an_endless_array(document: dict[str, Any]) -> None:
    del document["components"]["schemas"]["AppRunRequest"]["properties"]["files"]["maxItems"]


@plant("requests")
def a_request_that_takes_anything(document: dict[str, Any]) -> None:
    del document["components"]["schemas"]["FileInput"]["additionalProperties"]


@plant("members")
def a_required_member_that_is_not_there(document: dict[str, Any]) -> None:
    document["components"]["schemas"]["TagItem"]["required"].append("colour")


@plant("members")
def null_without_a_type(document: dict[str, Any]) -> None:
    document["components"]["schemas"]["JsonValue"]["nullable"] = True


@plant("members")
def a_model_without_words(document: dict[str, Any]) -> None:
    del document["components"]["schemas"]["TagItem"]["description"]


@plant("parameters")
def a_path_id_that_is_any_string(document: dict[str, Any]) -> None:
    del document["components"]["parameters"]["AppId"]["schema"]["format"]


@plant("parameters")
def a_parameter_without_words(document: dict[str, Any]) -> None:
    del document["components"]["parameters"]["Page"]["description"]


@plant("parameters")
def a_text_of_any_characters(document: dict[str, Any]) -> None:
    del document["components"]["parameters"]["CsrfToken"]["schema"]["pattern"]


@plant("examples")
def a_body_without_an_example(document: dict[str, Any]) -> None:
    del operation(document, "/_health")["responses"]["200"]["content"]["application/json"]["examples"]


@plant("unused")
def a_model_that_nothing_uses(document: dict[str, Any]) -> None:
    document["components"]["schemas"]["Leftover"] = {"type": "boolean", "description": "Nothing"}


@plant("words")
def a_remark_for_ourselves(document: dict[str, Any]) -> None:
    operation(document, "/apps")["description"] += " TODO: say more"


def test_the_contract_breaks_no_house_rule() -> None:
    """``python -m contract.rules`` prints the same."""
    assert rules.check() == []


def test_every_rule_has_a_planted_violation() -> None:
    """A rule that was never seen to fail may be checking nothing."""
    assert set(PLANTED) == set(rules.RULES)


@pytest.mark.parametrize(
    ("rule", "change"),
    [pytest.param(rule, change, id=change.__name__) for rule, found in PLANTED.items() for change in found],
)
def test_the_rule_catches(rule: str, change: Change) -> None:
    """The violation is found, and by the rule that it breaks."""
    document = copy.deepcopy(contract.load())
    change(document)
    assert rule in {finding[0] for finding in rules.check(document)}


def test_no_body_takes_what_it_does_not_name() -> None:
    """What is not in the contract is refused before a handler sees it."""
    document, checked = contract.load(), 0
    for item in document["paths"].values():
        for one in item.values():
            if not isinstance(one, dict) or "requestBody" not in one:
                continue
            for media in contract.resolve(document, one["requestBody"])["content"].values():
                checked += 1
                assert contract.resolve(document, media["schema"])["additionalProperties"] is False, one["operationId"]
    assert checked >= 9


def test_every_refusal_of_the_server_has_its_code_in_the_contract() -> None:
    """The set of codes is closed: what the server may answer, clients can know."""
    schemas = contract.load()["components"]["schemas"]
    assert set(REFUSALS) <= set(schemas["OpenApiErrorCode"]["enum"])
    assert set(OAUTH_STATUS) == set(schemas["OAuthErrorCode"]["enum"])


def test_the_statuses_of_the_codes_are_those_of_the_server() -> None:
    """One code, one status, on both sides."""
    both = STATUS_OF.keys() & REFUSALS.keys()
    assert {code: STATUS_OF[code] for code in both} == {code: REFUSALS[code][0] for code in both}
