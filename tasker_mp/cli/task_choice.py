"""Which tasks a command means: the filters of `task list` as the client takes them."""

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from tasker_mp.client.task_filter import TaskFilter

_AGE = re.compile(r"(\d+(?:\.\d+)?) *(s|m|min|h|d|w)")
_SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_TEMPLATE = re.compile(r"(?:([^/@]+)/)?([^/@]+)(?:@([^/@]+))?")


def when(_context: click.Context, _option: click.Parameter, value: str | None) -> datetime | None:
    """A moment, given as an age or as an ISO 8601 date or time; local where no zone is named."""
    if value is None:
        return None
    try:
        if age := _AGE.fullmatch(value.strip()):
            seconds = float(age[1]) * _SECONDS[age[2]]
            return datetime.now(UTC) - timedelta(seconds=seconds)
        return datetime.fromisoformat(value).astimezone(UTC)
    except (ValueError, OverflowError):
        raise click.BadParameter(
            f"{value!r} is no age: give 90s, 15m, 2h, 7d, or a date as 2026-01-31"
        ) from None


def task_filter(template: str | None = None, **filters: Any) -> tuple["TaskFilter", int | None]:
    """The filter, and how many tasks may be passed in looking for what it lets through."""
    from tasker_mp.client.task_filter import SCAN_LIMIT, TaskFilter  # noqa: PLC0415

    if template is not None:
        parts = _TEMPLATE.fullmatch(template)
        if parts is None:
            raise click.UsageError(f"--template {template!r}: give [NAMESPACE/]NAME[@VERSION]")
        namespace, filters["name"], filters["version"] = parts.groups()
        filters["namespace"] = filters.get("namespace") or namespace
    where = TaskFilter(**filters)
    return where, None if where.correlation_id else SCAN_LIMIT
