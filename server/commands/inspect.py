"""``difyspec journey`` and ``difyspec check-config``: look at what would run."""

from __future__ import annotations

from server.commands.common import Format, Output, settings, show
from server.commands.models import tell_models


def journey(output: Output = Format.table) -> None:
    """The stops a request passes, in order, and what each refuses with."""
    from server.journey import JOURNEY

    rows = [{"stop": stop.name, "does": stop.does, "refuses with": stop.refuses} for stop in JOURNEY]
    show(rows, output)


def check_config(output: Output = Format.table) -> None:
    """The settings in force, secrets hidden, and which models the apps will use.

    Ends with code 2 and the fix when a setting is wrong.
    """
    from server.settings import SECRET_NAMES, Settings

    current = settings()
    rows = []
    for name, field in Settings.model_fields.items():
        value = getattr(current, name)
        hidden = bool(value) and any(secret in name for secret in SECRET_NAMES)
        shown = "(hidden)" if hidden else value if isinstance(value, int | float | bool) else str(value)
        rows.append({"setting": f"DIFYSPEC_{name.upper()}", "value": shown, "meaning": field.description})
    show(rows, output)
    tell_models(current)
