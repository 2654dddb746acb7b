"""Generated requests rarely name what exists. Most of the valid ones are given ids and codes that do, so that the
handlers are reached; the rest, and every invalid one, stay as they are.

Whether a request is changed depends on nothing but its own content, so that a failure can be repeated.
"""

from __future__ import annotations

import hashlib
import zlib
from typing import Any

from schemathesis import Case

from tests.fuzz.ground import ANSWER, CHAT, CLIENT, Ground

COOKIES = {"pageCookie": "difyspec_session", "securePageCookie": "__Host-difyspec_session"}  # by scheme
# Stands where a live credential is to be put.
PLACEHOLDER = "a-credential-of-this-ground"
# One in so many valid requests stays as it was generated.
UNTOUCHED = 4


class Steering:
    """Gives valid requests what exists on the ground. Codes and ids that the server itself answered are kept."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.known = {ground.app_id, ground.workspace_id, ground.task_id, ground.file_id}

    def learn(self, body: Any) -> None:
        """Remember each text of an answer: a value that comes from the server is not replaced."""
        if isinstance(body, dict):
            for value in body.values():
                self.learn(value)
        elif isinstance(body, list):
            for value in body:
                self.learn(value)
        elif isinstance(body, str) and len(body) < 64:
            self.known.add(body)

    def before_call(self, case: Case) -> None:
        """Change a request before it is sent."""
        self._sign(case)
        meta = case.meta
        if meta is not None and not meta.generation.mode.is_positive:
            return
        self._parameters(case)
        content = repr((case.path_parameters, case.query, case.body)).encode("utf-8", "backslashreplace")
        if zlib.crc32(content) % UNTOUCHED == 0:
            return
        ground = self.ground
        if "form_token" in case.path_parameters:
            self._form(case)
        self._put(case.path_parameters, "app_id", lambda: ground.app_id)
        self._put(case.path_parameters, "task_id", lambda: ground.task_id)
        self._put(case.path_parameters, "session_id", ground.session_id)
        self._put(case.path_parameters, "workspace_id", lambda: ground.workspace_id)
        self._put(case.path_parameters, "file_id", lambda: ground.file_id)
        self._put(case.query, "sign", lambda: ground.file_sign)
        self._put(case.query, "user_code", ground.user_code)
        self._put(case.body, "user_code", ground.user_code)
        self._put(case.body, "device_code", ground.device_code)
        self._put(case.body, "client_id", lambda: CLIENT)
        if case.operation.definition.raw["operationId"] == "runApp" and isinstance(case.body, dict):
            case.body = {**case.body, "workflow_id": None, "conversation_id": None, "files": [], **CHAT}
            if "Idempotency-Key" in (case.headers or {}):
                # A key of the body's own: the same request comes again, another one does not collide with it.
                case.headers["Idempotency-Key"] = hashlib.sha256(repr(case.body).encode()).hexdigest()
        if any(name in (case.cookies or {}) for name in COOKIES.values()):
            case.headers["X-CSRF-Token"] = ground.csrf_token()

    def _sign(self, case: Case) -> None:
        if case.headers and case.headers.get("Authorization") == f"Bearer {PLACEHOLDER}":
            token = self.ground.bearer(case.operation.definition.raw["operationId"])
            case.headers["Authorization"] = f"Bearer {token}"
        for name in COOKIES.values():
            if case.cookies and case.cookies.get(name) == PLACEHOLDER:
                case.cookies[name] = self.ground.cookie

    def _form(self, case: Case) -> None:
        # An answer spends its form: each request brings a form of its own.
        case.path_parameters.update(app_id=self.ground.asking_app_id, form_token=self.ground.form_token())
        self.known.add(self.ground.asking_app_id)
        if isinstance(case.body, dict):
            case.body = dict(ANSWER)

    def _parameters(self, case: Case) -> None:
        # Describe refuses a workspace that is not the app's, and rightly so: a valid request names the right one.
        if case.query and "workspace_id" in case.query:
            case.query["workspace_id"] = self.ground.workspace_id

    def _put(self, values: Any, name: str, make: Any) -> None:
        if isinstance(values, dict) and name in values and values[name] not in self.known:
            values[name] = make()
