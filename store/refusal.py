"""Refusals: the one table of errors, and the two exceptions every layer raises.

A refusal is an answer, not an accident: the error renderer turns it into the canonical body ``{code, message,
status, hint?, details?}``; the device endpoints answer an ``OAuthRefusal`` as RFC 8628 §3.5 says.
"""

from __future__ import annotations

from typing import Any

# Where a request's scope holds the refusal of its body, until somebody tells it.
REFUSED = "difyspec.refused"

REFUSALS: dict[str, tuple[int, str]] = {
    "bad_request": (400, "The request cannot be understood."),
    "malformed_json": (400, "The body is not valid JSON."),
    "no_file_uploaded": (400, "The body has no file in a part named 'file'."),
    "too_many_files": (400, "Send one file, in a part named 'file', and nothing else."),
    "filename_not_exists": (400, "The file has no name."),
    "file_extension_blocked": (400, "Files with this extension are not taken here."),
    "app_unavailable": (400, "The app is not published, so it cannot be used yet."),
    "invalid_form_data": (400, "The answer does not fit the form."),
    "unauthorized": (401, "A bearer token is required."),
    "invalid_token": (401, "The token is unknown, expired or revoked."),
    "forbidden": (403, "This is not allowed."),
    "insufficient_scope": (403, "The token lacks the scope this operation needs."),
    "insufficient_role": (403, "Your role in this workspace does not allow this."),
    "unsupported_token_type": (403, "This operation is not open to this kind of token."),
    "service_api_disabled": (403, "The app's service API is switched off."),
    "access_mode_denied": (403, "The app's access mode does not admit you."),
    "csrf_failed": (403, "The request did not come from a page of this server."),
    "account_inactive": (403, "The account is not active."),
    "not_found": (404, "There is nothing here, or it is not yours."),
    "method_not_allowed": (405, "The method is not supported here."),
    "not_acceptable": (406, "None of the accepted media types can be served."),
    "request_timeout": (408, "The request did not arrive in time."),
    "conflict": (409, "The request conflicts with the current state."),
    "idempotency_conflict": (409, "This Idempotency-Key began a run with another body."),
    "already_resolved": (409, "Somebody has already answered this."),
    "human_input_form_submitted": (412, "This form has already been submitted."),
    "human_input_form_expired": (412, "This form has expired."),
    "run_not_streamable": (422, "The run has no events that could be streamed."),
    "request_entity_too_large": (413, "The body is too large."),
    "file_too_large": (413, "The file is too large."),
    "uri_too_long": (414, "The address is too long."),
    "unsupported_file_type": (415, "The file is not of a type that is taken here."),
    "unsupported_media_type": (415, "The content type is not supported here."),
    "invalid_param": (422, "A parameter or a member of the body is not valid."),
    "not_runnable": (422, "Apps of this mode cannot be run here."),
    "too_many_requests": (429, "Too many requests; wait before the next one."),
    "request_header_fields_too_large": (431, "The head of the request is too large."),
    "rate_limit_error": (429, "The rate limit of a model or service behind the app was reached."),
    "internal_server_error": (500, "Something went wrong on the server."),
    "bad_gateway": (502, "A service behind this server failed."),
    "service_unavailable": (503, "The server cannot do this right now; try again."),
}

OAUTH_STATUS: dict[str, int] = {
    "authorization_pending": 400,
    "slow_down": 400,
    "expired_token": 400,
    "access_denied": 400,
    "invalid_request": 400,
    "invalid_client": 401,
    "invalid_grant": 400,
    "unsupported_grant_type": 400,
}


class Refusal(Exception):
    """A stated answer other than success.

    In: ``code`` from ``REFUSALS`` (anything else is a KeyError: codes are never invented at the call site),
    an optional message for the reader (default: the first of ``details``, else the code's own), a ``hint`` on
    what to do, ``details`` (``{type, loc, msg}`` each) and response headers.
    """

    def __init__(
        self,
        code: str,
        message: str | None = None,
        *,
        hint: str | None = None,
        details: list[dict[str, Any]] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        self.code = code
        self.status, default = REFUSALS[code]
        self.message = message if message is not None else _named(details) or default
        self.hint = hint
        self.details = details
        self.headers = headers or {}
        super().__init__(self.message)


def _named(details: list[dict[str, Any]] | None) -> str:
    """Say the first of ``details`` in a sentence: many clients show ``message`` and nothing else."""
    if not details:
        return ""
    first, others = details[0], len(details) - 1
    return f"{place(first)}: {first['msg']}" + (f" (and {others} more in details)" if others else "")


def place(detail: dict[str, Any]) -> str:
    """Where one of ``details`` is, as text: ``inputs.name``, or ``body`` for all of it; 100 characters at most."""
    return ".".join(str(step) for step in detail["loc"][1:] or detail["loc"])[:100]


class OAuthRefusal(Refusal):
    """An error of the device endpoints (RFC 8628 §3.5, RFC 6749 §5.2): rendered as ``error`` and
    ``error_description``.

    In: ``error`` from ``OAUTH_STATUS``; ``status`` only where HTTP asks for another one (429 for a rate
    limit); ``extra`` members that stand beside the two (for example the new ``interval``).
    """

    def __init__(
        self,
        error: str,
        description: str | None = None,
        *,
        status: int | None = None,
        extra: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        chosen = OAUTH_STATUS[error] if status is None else status
        canonical = {401: "unauthorized", 429: "too_many_requests"}.get(chosen, "bad_request")
        super().__init__(canonical, description or error, headers=headers)
        self.error = error
        self.description = description
        self.status = chosen
        self.extra = extra or {}
