"""The caller: who a live token speaks for, as every layer sees it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

ACCOUNT_SCOPES = frozenset({"full"})
EXTERNAL_SCOPES = frozenset({"apps:run", "apps:read:permitted-external"})


@dataclass(frozen=True, slots=True)
class Caller:
    """One authenticated subject and the session it came with. ``expires_at`` is aware UTC.

    An account holds the scope ``full``, which satisfies every scope; an external subject may run apps, read
    the apps that are permitted to it, and manage its own sessions. A page has no session but a cookie, named by
    what is stored of it.
    """

    subject_type: str
    account_id: str | None
    email: str
    issuer: str | None
    name: str
    session_id: str
    client_id: str
    scopes: frozenset[str]
    expires_at: datetime
    cookie_hash: str = ""

    @property
    def subject(self) -> str:
        """The owner's key on runs and conversations: ``account:<id>`` or ``external:<issuer>:<email>``.

        The issuer is part of it, so that two identity providers vouching for one address stay two people.
        """
        if self.account_id is not None:
            return f"account:{self.account_id}"
        return f"external:{self.issuer}:{self.email}"
