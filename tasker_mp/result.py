"""What a handler returns: a result or a failure, as a value."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from tasker_mp.record import Record


class ErrorType(StrEnum):
    """The kinds of failure that the engine itself records; a handler may use its own words too."""

    PERMANENT_ERROR = "permanent_error"
    RETRYABLE_ERROR = "retryable_error"
    VALIDATION_ERROR = "validation_error"
    TIMEOUT = "timeout"
    HANDLER_ERROR = "handler_error"

    # `self: str`, so that `ErrorType.is_standard(word)` asks about any word too.
    def is_standard(self: str) -> bool:
        """Whether this is one of the engine's own words."""
        return self in ErrorType._value2member_map_

    def is_typically_retryable(self: str) -> bool:
        """Whether a failure of this kind may pass; False for words that are not the engine's."""
        return self in (ErrorType.RETRYABLE_ERROR, ErrorType.TIMEOUT, ErrorType.HANDLER_ERROR)


@dataclass(slots=True)
class StepHandlerResult(Record):
    """A step's outcome; build it with `success` or `failure`.

    `result` and `metadata` are JSON-like. Of a failure, `error_message` says what went wrong,
    `retryable` whether another attempt may help, and `retry_after` after how many seconds at the
    earliest.
    """

    is_success: bool
    result: Any = None
    error_message: str | None = None
    error_type: str | None = None
    error_code: str | None = None
    retryable: bool = True
    metadata: dict[str, Any] = field(default_factory=dict)
    retry_after: float | None = None

    @classmethod
    def success(
        cls, result: object = None, metadata: Mapping[str, Any] | None = None
    ) -> "StepHandlerResult":
        """A result; one that is not an object is wrapped as `{"result": …}` when recorded."""
        return cls(is_success=True, result=result, metadata=dict(metadata or {}))

    @classmethod
    def failure(
        cls,
        message: str,
        error_type: str = ErrorType.HANDLER_ERROR,
        retryable: bool = True,
        metadata: Mapping[str, Any] | None = None,
        error_code: str | None = None,
    ) -> "StepHandlerResult":
        """A failed attempt; `error_type` is an `ErrorType` or a word of the author's."""
        return cls(
            is_success=False,
            error_message=message,
            # The word itself, of an author's own enum too.
            error_type=str(getattr(error_type, "value", error_type)),
            error_code=error_code,
            retryable=retryable,
            metadata=dict(metadata or {}),
        )

    def is_success_result(self) -> bool:
        return self.is_success

    def is_failure_result(self) -> bool:
        return not self.is_success
