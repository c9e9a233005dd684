"""What the order steps share: errors that name their field, stable references, and dates."""

from datetime import UTC, datetime
from typing import Any

from tasker_mp import StepContext
from tasker_mp.errors import PermanentError, ValidationError

_TIME_ORDERED = "7"
"""The version of a UUID that begins with the milliseconds since 1970."""


def invalid(field: str, value: object, cure: str) -> ValidationError:
    """The permanent error for a field of the order that is wrong; `field` is its path."""
    missing = value is None
    return ValidationError(
        f"{field} is missing; {cure}" if missing else f"{field} is {str(value)[:100]}; {cure}",
        error_code="MISSING_CONTEXT_FIELD" if missing else "VALIDATION_ERROR",
        metadata={"field": field, "value": value},
    )


def section(context: StepContext, name: str) -> dict[str, Any]:
    """A part of the order, such as `customer`; a permanent error where it is not an object."""
    value = context.get_input(name)
    if not isinstance(value, dict):
        raise invalid(name, value, "give an object")
    return value


def filled(part: dict[str, Any], part_name: str, key: str) -> Any:
    """A value that the order must have; a permanent error where it is missing or empty."""
    value = part.get(key)
    if value is None or value in ("", {}, []) or isinstance(value, bool):
        raise invalid(f"{part_name}.{key}", value, "it must not be empty")
    return value


def from_step(context: StepContext, step: str, key: str) -> Any:
    """A field of an earlier step's result; a permanent error where it is missing."""
    value = context.get_dependency_field(step, key)
    if value is None:
        raise PermanentError(
            f"{step} left no {key}; check the step's dependencies",
            error_code="MISSING_DEPENDENCY_RESULT",
            metadata={"step": step, "field": key},
        )
    return value


def reference(context: StepContext, prefix: str) -> str:
    """An identifier that is the same in every attempt at this step, and differs between steps.

    A step may run twice (its worker may die before the result is accepted), and the second run
    must not reserve, charge or ship again: real services take such a key for that.
    """
    return f"{prefix}-{context.step_uuid.replace('-', '').upper()}"


def submitted_at(context: StepContext) -> datetime:
    """When the task was submitted: its UUID says so, and says the same in every attempt."""
    digits = context.task_uuid.replace("-", "")
    milliseconds = int(digits[:12], 16) if digits[12] == _TIME_ORDERED else 0
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
