"""Tokens of forms: derived from the form's id and the server's secret, so that no store has to keep them.

The event log and the table of forms hold neither token nor link. They are put into the events when these are
sent; who reads a copy of the database finds only hashes.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

from engine.events.wire import text
from store.sql import sha256

_MARKS = ('{"event":"human_input_required"', '{"event":"workflow_paused"')


class FormLinks:
    """``secret`` is the server's; ``base_url`` is where people reach its pages, without a trailing slash."""

    def __init__(self, secret: str, base_url: str) -> None:
        self._key = hashlib.sha256(b"difyspec form\0" + secret.encode()).digest()
        self._base = base_url

    def token(self, form_id: str) -> str:
        """Return the form's token: 256 bits as 43 URL-safe letters."""
        digest = hmac.new(self._key, form_id.encode(), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

    def token_hash(self, form_id: str) -> str:
        """Return what is stored of the form's token."""
        return sha256(self.token(form_id))

    def address_hash(self, form_id: str, address: str) -> str:
        """Return what is stored of the token that one address is sent."""
        return sha256(self.token(_of(form_id, address)))

    def url(self, form_id: str, address: str) -> str:
        """Return the link that one address is sent."""
        return f"{self._base}/form/{self.token(_of(form_id, address))}"

    def fill(self, payload: str) -> str:
        """Return an event's JSON with the tokens and links of the forms it tells of; other events as they are."""
        if not payload.startswith(_MARKS):
            return payload
        event = json.loads(payload)
        data = event["data"]
        for form in data["reasons"] if event["event"] == "workflow_paused" else [data]:
            self._complete(form)
        return text(event)

    def _complete(self, form: dict[str, Any]) -> None:
        # `form_token` is true in the log when the form may be answered by a link.
        if "form_token" in form:
            token = self.token(form["form_id"]) if form["form_token"] else None
            form["form_token"] = token
            form["form_url"] = token and f"{self._base}/form/{token}"


def _of(form_id: str, address: str) -> str:
    # An id has no slash: no address makes the token of another form.
    return f"{form_id}/{address}"
