"""The mails that a form is sent with: to whom, and what they say (behaviour-runs §11.4)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from engine.forms.mail_config import URL
from engine.forms.node_data import Delivery, Recipients
from store.mails import MailDraft

MOST = 100  # addresses of one form
SUBJECT, BODY = 200, 100_000  # characters
# What a mail server can be told without doubt; no display names, no comments, no lists.
_ADDRESS = re.compile(r"[^\s@<>()\[\],;:\\\"\x00-\x1f\x7f]{1,64}@[^\s@<>()\[\],;:\\\"\x00-\x1f\x7f]{1,190}")


class Outgoing:
    """What it takes to write the mails of one run's forms.

    ``members`` gives the addresses of the workspace's members by account; ``token_hash`` what is stored of the
    token of an address.
    """

    def __init__(self, members: Callable[[], Mapping[str, str]], token_hash: Callable[[str, str], str]) -> None:
        self._members, self._token_hash = members, token_hash

    def write(
        self, form_id: str, title: str, deliveries: Iterable[Delivery], fill: Callable[[str], str]
    ) -> tuple[MailDraft, ...]:
        """Return the mails of a form, one for each address. ``fill`` puts variables into a text."""
        found: dict[str, MailDraft] = {}
        for delivery in deliveries:
            if not delivery.enabled or delivery.type != "email":
                continue
            config = delivery.mail
            # The link is put in when the mail is sent: what is stored opens nothing.
            body = URL.join(fill(piece) for piece in config.body.split(URL))
            body = body if URL in body else f"{body}\n\n{URL}"
            subject = " ".join(fill(config.subject).split()) or title or "A form"
            for address in self._addresses(config.recipients):
                key = address.casefold()
                if key not in found and len(found) < MOST:
                    token_hash = self._token_hash(form_id, address)
                    found[key] = MailDraft(address, token_hash, subject[:SUBJECT], body.strip()[:BODY])
        return tuple(found.values())

    def _addresses(self, recipients: Recipients) -> list[str]:
        members = self._members()
        found = list(members.values()) if recipients.include_bound_group else []
        for item in recipients.items:
            # Only who is a member now: an account's id in an old definition is no permission.
            address = item.email if item.type == "external" else members.get(item.reference_id or "")
            found.append((address or "").strip())
        return [address for address in found if _ADDRESS.fullmatch(address)]
