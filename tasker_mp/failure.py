"""What an exception says about the step that raised it, as a result."""

import traceback
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Final

from tasker_mp.errors import TaskerError
from tasker_mp.result import ErrorType, StepHandlerResult

_MAX_FRAMES: Final = 8


def failure_of(error: BaseException) -> StepHandlerResult:
    """The failure that `error` means; one that is no `TaskerError` is retryable.

    >>> failure_of(KeyError("cart")).error_message
    "KeyError: 'cart'"
    """
    place = {"exception": _type_name(error), "traceback": frames(error.__traceback__)}
    if isinstance(error, TaskerError):
        return _of_tasker_error(error, place)
    name, text = type(error).__name__, text_of(error)
    message = f"{name}: {text}" if text else name
    return StepHandlerResult.failure(message, ErrorType.HANDLER_ERROR, True, place)


def _of_tasker_error(error: TaskerError, place: dict[str, Any]) -> StepHandlerResult:
    # Its fields hold whatever an author's subclass put there.
    metadata = {**place, **(error.metadata if isinstance(error.metadata, Mapping) else {})}
    if error.context:
        metadata["context"] = error.context
    return StepHandlerResult(
        is_success=False,
        error_message=text_of(error) or type(error).__name__,
        error_type=error.error_type,
        error_code=error.error_code,
        retryable=error.retryable,
        metadata=metadata,
        retry_after=error.retry_after,
    )


def text_of(value: object) -> str:
    """`str(value)`, whatever an author's `__str__` does."""
    try:
        return str(value)
    except Exception:
        return f"(a {type(value).__name__} whose text cannot be made)"


def frames(trace: TracebackType | None) -> list[str]:
    """The innermost frames, outermost first; no source lines, which would be read from disk."""
    own = trace.tb_next if trace else None  # the first is the engine's
    summary = traceback.StackSummary.extract(
        traceback.walk_tb(own), limit=-_MAX_FRAMES, lookup_lines=False
    )
    return [f"{frame.filename}:{frame.lineno} in {frame.name}" for frame in summary]


def _type_name(error: BaseException) -> str:
    return f"{type(error).__module__}.{type(error).__qualname__}"
