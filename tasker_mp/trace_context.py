"""W3C Trace Context: the ids under which who traces a task knows it and its attempts."""

import re
from typing import NamedTuple
from uuid import UUID

from tasker_mp.errors import InvalidInputError

_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_SAMPLED = 1


class TraceParent(NamedTuple):
    """Who is above a task, in the hex digits of a `traceparent`, and whether it is recorded."""

    trace_id: str
    span_id: str
    sampled: bool


def parse_traceparent(text: str) -> TraceParent:
    """`InvalidInputError` where it is none."""
    found = _TRACEPARENT.fullmatch(text)
    if found is None or found[1] == "ff" or not int(found[2], 16) or not int(found[3], 16):
        raise InvalidInputError(
            f"traceparent {text[:80]!r} is not one of W3C Trace Context: "
            "give 00-<32 hex digits>-<16 hex digits>-01"
        )
    return TraceParent(found[2], found[3], bool(int(found[4], 16) & _SAMPLED))


def traceparent(trace_id: str, span_id: str, *, sampled: bool = True) -> str:
    return f"00-{trace_id}-{span_id}-{int(sampled):02x}"


def trace_id_of(task: str, parent: str | None) -> str:
    """That of the submitter's trace; else the task's own 32 hex digits, which are one, too."""
    return parent[3:35] if parent else task


def task_span_id(task: str) -> str:
    """The span of the task itself, above those of its steps."""
    return task[16:]


def step_span_id(event_id: bytes) -> str:
    """The span of an attempt."""
    return event_id[-8:].hex().zfill(16)


def submitted_at_ns(task: str) -> int:
    """When a task's UUID was minted, in nanoseconds since the epoch, to the millisecond."""
    return (UUID(hex=task).int >> 80) * 1_000_000
