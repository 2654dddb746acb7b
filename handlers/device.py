"""Tag ``device``: sign-in on a device without a browser (RFC 8628)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from connexion import request

import store.device
from handlers import config
from handlers.account import identity
from store.caller import Caller
from store.clock import rfc3339
from store.refusal import OAuthRefusal, Refusal

NO_STORE = {"Cache-Control": "no-store"}
TOKEN = {**NO_STORE, "Pragma": "no-cache"}  # RFC 6749 §5.1: tokens never rest in a cache, not even an old one


def create_device_code(body: dict[str, Any]) -> tuple[dict[str, Any], int, dict[str, str]]:
    """Operation ``createDeviceCode`` (RFC 8628 §3.1–3.2). Raises ``invalid_client`` for an unknown client."""
    settings = config.current()
    client_id = body["client_id"]
    if client_id not in settings.known_client_ids:
        raise OAuthRefusal("invalid_client", f"The client {client_id!r} is not known to this server.")
    label = body.get("device_label") or client_id
    started = store.device.start(client_id, label, _address(), most_open=settings.most_open_codes)
    page = f"{settings.public_url}/device"
    answer = {
        "device_code": started.device_code,
        "user_code": started.user_code,
        "verification_uri": page,
        "verification_uri_complete": f"{page}?user_code={started.user_code}",
        "expires_in": started.expires_in,
        "interval": started.interval,
    }
    return answer, 200, NO_STORE


def poll_device_token(body: dict[str, Any]) -> tuple[dict[str, Any], int, dict[str, str]]:
    """Operation ``pollDeviceToken`` (RFC 8628 §3.4–3.5). The token is made here, once, when it is collected."""
    settings = config.current()
    token, session, account = store.device.poll(body["device_code"], body["client_id"], _address(), settings.token_ttl)
    answer = {
        "token": token,
        "access_token": token,
        "token_type": "Bearer",
        "expires_in": int(settings.token_ttl.total_seconds()),
        "expires_at": rfc3339(session.expires_at),
        "token_id": session.id,
        "subject_type": "account",
        "subject_email": account.email,
        "subject_issuer": None,
        **identity(account.id, account.email, account.name),
    }
    return answer, 200, TOKEN


def lookup_device_code(user_code: str, user: Caller | None = None) -> tuple[dict[str, Any], int, dict[str, str]]:
    """Operation ``lookupDeviceCode``: tells about pending codes only, so an answered one reveals nothing.

    Raises ``too_many_requests``, or ``unauthorized``, for wrong codes (`store.code_guesses`).
    """
    guesses, subject = config.current().code_guesses, user.subject if user else None
    left = guesses.look(_address(), subject)
    flow = store.device.lookup(user_code)
    if flow is None or flow.status != "pending":
        left = guesses.wrong(_address(), subject)
        answer: dict[str, Any] = {
            "valid": False,
            "expires_in_remaining": 0,
            "client_id": None,
            "device_label": None,
            "requested_at": None,
        }
    else:
        answer = {
            "valid": True,
            "expires_in_remaining": flow.expires_in_remaining,
            "client_id": flow.client_id,
            "device_label": flow.device_label,
            "requested_at": rfc3339(flow.requested_at),
        }
    return answer, 200, {**left, **NO_STORE}


def approve_device(body: dict[str, Any], user: Caller) -> tuple[dict[str, Any], int, dict[str, str]]:
    """Operation ``approveDevice``. Raises ``not_found`` (unknown, expired), ``already_resolved``, or for wrong codes
    ``too_many_requests``.
    """
    return {"status": "approved"}, 200, _answer(store.device.approve, body["user_code"], user)


def deny_device(body: dict[str, Any], user: Caller) -> tuple[dict[str, Any], int, dict[str, str]]:
    """Operation ``denyDevice``. Raises as ``approve_device``."""
    return {"status": "denied"}, 200, _answer(store.device.deny, body["user_code"], user)


def _answer(move: Callable[[str, str], None], user_code: str, user: Caller) -> dict[str, str]:
    """Answer a device; out: the header lines of a success."""
    guesses = config.current().code_guesses
    left = guesses.look(_address(), user.subject)
    try:
        move(user_code, str(user.account_id))
    except Refusal as refusal:
        if refusal.code == "not_found":
            left = guesses.wrong(_address(), user.subject)
        refusal.headers = {**refusal.headers, **left}
        raise
    return {**left, **NO_STORE}


def _address() -> str:
    return config.current().address_of(request.scope)
