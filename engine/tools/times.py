"""The provider ``time``: what time it is, here and elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from engine.tools.tool import Parameter, Result, Tool, ToolContext, ToolProblem

_FORMAT = "%Y-%m-%d %H:%M:%S"
_ZONE = Parameter("timezone", default="UTC", description="IANA name, such as Europe/Berlin")


def _zone(name: str) -> tzinfo:
    if name.upper() == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        raise ToolProblem(f"'{name[:100]}' is not a time zone; give an IANA name such as Europe/Berlin") from None


def _read(text: str, pattern: str = _FORMAT) -> datetime:
    try:
        return datetime.strptime(text.strip(), pattern)
    except ValueError:
        raise ToolProblem(f"'{text[:100]}' is not a time in the format {pattern}") from None


def _written(moment: datetime, pattern: str) -> str:
    try:
        return moment.strftime(pattern)
    except ValueError:
        raise ToolProblem(f"'{pattern[:100]}' is not a format for a time") from None


def _current(arguments: Mapping[str, Any], context: ToolContext) -> Result:
    return Result(_written(context.now().astimezone(_zone(arguments["timezone"])), arguments["format"]))


def _converted(arguments: Mapping[str, Any], context: ToolContext) -> Result:
    moment = _read(arguments["current_time"]).replace(tzinfo=_zone(arguments["current_timezone"]))
    there = _zone(arguments["target_timezone"])
    try:
        return Result(_written(moment.astimezone(there), _FORMAT))
    except OverflowError:
        raise ToolProblem(f"'{arguments['current_time'][:100]}' is beyond the years 1 to 9999 there") from None


def _to_timestamp(arguments: Mapping[str, Any], context: ToolContext) -> Result:
    moment = _read(arguments["localtime"]).replace(tzinfo=_zone(arguments["timezone"]))
    return Result(str(int(moment.timestamp())))


def _from_timestamp(arguments: Mapping[str, Any], context: ToolContext) -> Result:
    try:
        moment = datetime.fromtimestamp(arguments["timestamp"], _zone(arguments["timezone"]))
    except (ValueError, OverflowError, OSError):
        raise ToolProblem(f"{arguments['timestamp']} is not a Unix time in seconds") from None
    return Result(_written(moment, _FORMAT))


def _weekday(arguments: Mapping[str, Any], context: ToolContext) -> Result:
    today = context.now().date()
    parts = [arguments.get(name, getattr(today, name)) for name in ("year", "month", "day")]
    try:
        found = date(*parts)
    except ValueError:
        raise ToolProblem("There is no such day: {}-{}-{}".format(*parts)) from None
    return Result(f"{found:%B} {found.day}, {found.year} is {found:%A}.")


TOOLS = (
    Tool(
        "time", "current_time", "Current time", "What time it is.",
        (Parameter("format", default=_FORMAT, description="as for strftime"), _ZONE), _current,
    ),
    Tool(
        "time", "timezone_conversion", "Convert time zone", "Tells a time of one zone in another.",
        (
            Parameter("current_time", required=True, description=f"as {_FORMAT}"),
            Parameter("current_timezone", default="UTC", description="IANA name"),
            Parameter("target_timezone", required=True, description="IANA name"),
        ),
        _converted,
    ),
    Tool(
        "time", "localtime_to_timestamp", "Time to timestamp", "Unix seconds of a local time.",
        (Parameter("localtime", required=True, description=f"as {_FORMAT}"), _ZONE), _to_timestamp,
    ),
    Tool(
        "time", "timestamp_to_localtime", "Timestamp to time", "The local time of Unix seconds.",
        (Parameter("timestamp", "integer", required=True, description="Unix seconds"), _ZONE), _from_timestamp,
    ),
    Tool(
        "time", "weekday", "Weekday", "Which day of the week a date is; without a date, today.",
        tuple(Parameter(name, "integer") for name in ("year", "month", "day")), _weekday,
    ),
)  # fmt: skip
