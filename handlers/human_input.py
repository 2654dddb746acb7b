"""Tag ``human_input``: read and answer the forms of runs that wait for a person."""

from __future__ import annotations

from typing import Any

import store.apps
from engine.forms import answering, showing
from store.caller import Caller


def get_human_input_form(user: Caller, app_id: str, form_token: str) -> dict[str, Any]:
    """Operation ``getHumanInputForm``: for whoever may run the app and has the token."""
    store.apps.visible(user, app_id)
    return showing.shown(answering.open_form(form_token, app_id))


def submit_human_input_form(user: Caller, app_id: str, form_token: str, body: dict[str, Any]) -> dict[str, Any]:
    """Operation ``submitHumanInputForm``: the one answer of a form; its run goes on in the background."""
    store.apps.visible(user, app_id)
    answering.submit(form_token, body, by=user.subject, app_id=app_id, giver=user)
    return {}
