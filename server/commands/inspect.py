"""``difyspec journey`` and ``difyspec check-config``: look at what would run."""

from __future__ import annotations

from typing import Any

from server.commands.common import Format, Output, settings, show
from server.commands.models import tell_models


def journey(output: Output = Format.table) -> None:
    """The stops a request passes, and what each refuses with."""
    from server.journey import JOURNEY

    rows = [{"stop": stop.name, "does": stop.does, "refuses with": stop.refuses} for stop in JOURNEY]
    show(rows, output)


def check_config(output: Output = Format.table) -> None:
    """The settings in force, secrets hidden.

    Says too which model answers for each one that an app names. Ends with code 2 and the fix when a setting is wrong.
    """
    from server.settings import SECRET_NAMES, Settings

    current = settings()
    rows = []
    for name, field in Settings.model_fields.items():
        value = getattr(current, name)
        hidden = bool(value) and any(secret in name for secret in SECRET_NAMES)
        rows.append(
            {
                "setting": f"DIFYSPEC_{name.upper()}",
                "value": "(hidden)" if hidden else _plain(value),
                "set": name in current.model_fields_set,
                "meaning": field.description,
            }
        )
    show(rows, output)
    tell_models(current)


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [str(one) for one in value]
    return value if value is None or isinstance(value, int | float) else str(value)
