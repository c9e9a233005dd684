"""Steps that failed, those of them that kept crashing, and what else happened."""

import time

from tasker_mp.cli.top.choice import Choice
from tasker_mp.cli.top.line import Line, fit, printable, rule, span
from tasker_mp.cli.top.scene import events, failure_key, failures
from tasker_mp.cli.top.styles import BAD, DIM, LEVELS, PLAIN, WARN
from tasker_mp.cli.top.table import Column, Row, table
from tasker_mp.observation import Observation
from tasker_mp.snapshot import Event, Failure

_FAILURES = (
    Column("at", 70, least=8),
    Column("step", 95, flexible=True, least=16),
    Column("kind", 80, flexible=True, least=12),
    Column("try", 60, right=True),
    Column("then", 75, least=5),
    Column("message", 90, flexible=True, least=20),
    Column("namespace", 40, flexible=True, least=16),
    Column("task", 30),
)
_EVENTS = (
    Column("at", 80, least=8),
    Column("level", 70, least=7),
    Column("event", 100, flexible=True, least=30),
)


def failures_panel(
    seen: Observation,
    choice: Choice,
    width: int,
    height: int,
    *,
    only_quarantined: bool = False,
) -> list[Line]:
    """The newest first."""
    found = failures(seen, choice, only_quarantined=only_quarantined)
    title = "quarantined" if only_quarantined else "recent failures"
    if not found:
        return _empty(title, width)
    rows = [_failure(failure) for failure in found]
    note = _quarantined(seen)
    return table(title, _FAILURES, rows, width, height, chosen=choice.failure, note=note)


def events_panel(seen: Observation, choice: Choice, width: int, height: int) -> list[Line]:
    """The newest first."""
    found = events(seen, choice)
    if not found:
        return _empty("events", width)
    return table("events", _EVENTS, [_event(event) for event in found], width, height)


def _quarantined(seen: Observation) -> str:
    number = seen.snapshot.stats.get("quarantined", 0)
    return f"{number:,} quarantined" if number else ""


def _empty(title: str, width: int) -> list[Line]:
    return [rule(title, width), fit([span(" none", DIM)], width)]


def _failure(failure: Failure) -> Row:
    if failure.quarantined:
        then = span("quarantined", BAD)
    else:
        then = span("error", BAD) if failure.final else span("retry", WARN)
    return Row(
        (
            clock(failure.at),
            printable(failure.step),
            printable(failure.kind),
            str(failure.attempt),
            then,
            printable(failure.message),
            printable(failure.namespace),
            failure.task,
        ),
        key=failure_key(failure),
    )


def _event(event: Event) -> Row:
    return Row(
        (
            clock(event.at),
            span(printable(event.level), LEVELS.get(event.level, DIM)),
            span(printable(event.text), PLAIN),
        )
    )


def clock(at: float) -> str:
    """In the reader's own time zone."""
    return time.strftime("%H:%M:%S", time.localtime(at))
