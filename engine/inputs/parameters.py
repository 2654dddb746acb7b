"""The ``parameters`` block of describe: what a client needs to draw an app's form.

The shape never varies: every key is there for every app, also for one never published. A feature stored with
the wrong type falls back to its default, so one broken block does not take the others with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from engine.inputs.variables import WORKFLOW_MODES, declared, whole, words

DEFAULT_LIMITS: dict[str, int] = {
    "image_file_size_limit": 10,
    "video_file_size_limit": 100,
    "audio_file_size_limit": 50,
    "file_size_limit": 15,
    "workflow_file_upload_limit": 10,
}

_METHODS = ["remote_url", "local_file"]
_IMAGE = {"enabled": False, "number_limits": 3, "detail": "high", "transfer_methods": _METHODS}
_LONGEST, _MOST = 100_000, 1000  # characters of a text, texts; the contract's bounds, as are those below
_LISTS = {"allowed_file_types": 100, "allowed_file_upload_methods": 100, "allowed_file_extensions": 1000}
_LONGEST_WORD = 64
_CITES = "retriever_resource"
_SWITCHES = ("suggested_questions_after_answer", "speech_to_text", "text_to_speech", _CITES)


def parameters(document: Mapping[str, Any] | None, limits: Mapping[str, int] | None = None) -> dict[str, Any]:
    """The twelve keys of ``parameters``, in the order clients know.

    In: the normalised document, or None for an app without a published version; and the server's file limits
    (megabytes, and a count for ``workflow_file_upload_limit``), of which any may be left out.
    """
    document = document or {}
    workflow = document.get("mode", "workflow") in WORKFLOW_MODES
    features = features_of(document)
    opening = features.get("opening_statement")
    questions = features.get("suggested_questions")
    switches = {key: _switch(features, key, default=not workflow and key == _CITES) for key in _SWITCHES}
    return {
        "opening_statement": opening[:_LONGEST] if isinstance(opening, str) else None,
        "suggested_questions": [q[:_LONGEST] for q in questions if isinstance(q, str)][:_MOST]
        if isinstance(questions, list)
        else [],
        **switches,
        "annotation_reply": _annotation(features),
        "more_like_this": _switch(features, "more_like_this"),
        "user_input_form": [{kind: dict(config)} for kind, config in declared(document) if _complete(config)],
        "sensitive_word_avoidance": _avoidance(features, workflow=workflow),
        "file_upload": file_upload(document),
        "system_parameters": {
            **DEFAULT_LIMITS,
            **{k: v for k, v in (limits or {}).items() if k in DEFAULT_LIMITS},
        },
    }


def features_of(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """Where a document keeps its features:

    Workflows under ``features``, the others in the model configuration itself.
    """
    key = "features" if document.get("mode") in WORKFLOW_MODES else "model_config"
    found = document.get(key)
    return found if isinstance(found, Mapping) else {}


def file_upload(document: Mapping[str, Any]) -> dict[str, Any]:
    """The app's upload configuration, each member of the type that the contract says, or absent.

    A workflow's old image switch is rewritten to the form that replaced it.
    """
    found = _file_upload(document)
    for name, most in _LISTS.items():
        if name in found:
            found[name] = [one for one in words(found[name]) if len(one) <= _LONGEST_WORD][:most]
    if "image" in found:
        image = found["image"]
        found["image"] = {**image, "enabled": image.get("enabled") is True}
    if "number_limits" in found:
        number = whole(found["number_limits"])
        found["number_limits"] = number and min(number, 2**53 - 1)
    if not isinstance(found.get("enabled", False), bool):
        found["enabled"] = None
    return {name: value for name, value in found.items() if value is not None}


def _file_upload(document: Mapping[str, Any]) -> dict[str, Any]:
    stored = features_of(document).get("file_upload")
    if not isinstance(stored, Mapping) or not stored:
        return {"image": deepcopy(_IMAGE)}
    image = stored.get("image")
    image = image if isinstance(image, Mapping) else {}
    if document.get("mode") in WORKFLOW_MODES and image.get("enabled") is True:
        rest = {key: deepcopy(value) for key, value in stored.items() if key != "image"}
        return {
            **rest,
            "enabled": True,
            "number_limits": whole(image.get("number_limits")) or whole(stored.get("number_limits")) or 3,
            "allowed_file_upload_methods": words(image.get("transfer_methods")) or list(_METHODS),
            "allowed_file_types": words(stored.get("allowed_file_types")) or ["image"],
            "allowed_file_extensions": words(stored.get("allowed_file_extensions")),
        }
    return {**deepcopy(dict(stored)), "image": {**deepcopy(_IMAGE), **deepcopy(dict(image))}}


def _complete(config: Mapping[str, Any]) -> bool:
    return isinstance(config.get("variable"), str) and bool(config["variable"])


def cites(document: Mapping[str, Any]) -> bool:
    """Whether an app shows the passages of knowledge that its answers rest on."""
    workflow = document.get("mode", "workflow") in WORKFLOW_MODES
    return bool(_switch(features_of(document), _CITES, default=not workflow)["enabled"])


def _switch(features: Mapping[str, Any], key: str, *, default: bool = False) -> dict[str, Any]:
    stored = features.get(key)
    if not isinstance(stored, Mapping):
        return {"enabled": default}
    enabled = stored.get("enabled", default)
    return {**deepcopy(dict(stored)), "enabled": enabled if isinstance(enabled, bool) else default}


def _annotation(features: Mapping[str, Any]) -> dict[str, Any]:
    found = _switch(features, "annotation_reply")
    return found if found["enabled"] else {"enabled": False}


def _avoidance(features: Mapping[str, Any], *, workflow: bool) -> dict[str, Any]:
    """Only whether it is on and of which kind:

    The words it looks for, and the keys of a remote judge, stay here.
    """
    found = _switch(features, "sensitive_word_avoidance")
    kind = found.get("type")
    rest: dict[str, Any] = {"configs": []} if workflow else {"config": {}}
    return {"enabled": found["enabled"], "type": kind if isinstance(kind, str) else "", **rest}
