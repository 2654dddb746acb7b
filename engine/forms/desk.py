"""The forms of one run: those it has asked, those it is about to ask, and the answers there are."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from engine.forms.links import FormLinks
from engine.forms.mails import Outgoing
from store.forms import Draft, Form


@dataclass(frozen=True)
class Asked:
    """A form a run waits for: what its events tell of it."""

    id: str
    execution_id: str
    definition: dict[str, Any]


class FormDesk:
    """Thread-safe. Keyed by the execution of the node that asks, so that each round of a loop has its own form."""

    def __init__(
        self,
        links: FormLinks,
        known: Iterable[Form] = (),
        outgoing: Outgoing | None = None,
        longest: timedelta = timedelta.max,
    ) -> None:
        # Writes the mails of forms; without it none are sent.
        self._links, self.outgoing = links, outgoing
        # No form waits longer than this, whatever its node says.
        self.longest = longest
        self._lock = threading.Lock()
        self._known = {form.execution_id: form for form in known}
        self._drafts: dict[str, Draft] = {}

    def learn(self, forms: Iterable[Form]) -> None:
        """Take in the forms as they are stored now."""
        with self._lock:
            self._known = {form.execution_id: form for form in forms}
            self._drafts = {key: draft for key, draft in self._drafts.items() if key not in self._known}

    def decided(self, execution_id: str) -> Form | None:
        """The form of an execution, if it was answered or ran out of time."""
        form = self._known.get(execution_id)
        return None if form is None or form.is_waiting else form

    def asked(self, execution_id: str) -> str | None:
        """The id of the form that this execution waits for already."""
        with self._lock:
            form = self._known.get(execution_id) or self._drafts.get(execution_id)
            return form.id if form else None

    def ask(self, draft: Draft) -> None:
        """Note a form that becomes real when the run pauses."""
        with self._lock:
            self._drafts[draft.execution_id] = draft

    def token_hash(self, form_id: str) -> str:
        """What is stored of a form's token."""
        return self._links.token_hash(form_id)

    def drafts(self) -> list[Draft]:
        """The forms that are not stored yet, in the order they were asked."""
        with self._lock:
            return list(self._drafts.values())

    def waiting(self) -> list[Asked]:
        """Every form that waits, stored or not, in the order they were asked."""
        with self._lock:
            stored = [form for form in self._known.values() if form.is_waiting]
            forms: list[Form | Draft] = [*stored, *self._drafts.values()]
            return [Asked(form.id, form.execution_id, form.definition) for form in forms]
