"""Every error of the package: those a handler raises, and those the engine raises."""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

# -- What a handler's author raises ---------------------------------------------------------------


class TaskerError(Exception):
    """A step's failure with what the engine needs to decide on a retry.

    `retryable` defaults to the class's; `metadata` and `context` are JSON-like and kept with the
    step; `error_code` is the author's own, such as `CARD_DECLINED`; `retry_after`, in seconds,
    asks for at least that delay before the next attempt.
    """

    default_retryable: ClassVar[bool] = True
    fixed_error_type: ClassVar[str | None] = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        # An author's class may say it by either name.
        own = vars(cls).get("retryable")
        if isinstance(own, bool):
            cls.default_retryable = own
        super().__init_subclass__(**kwargs)

    def __new__(cls, *args: object, **_kwargs: object) -> Self:
        # Here rather than in __init__ alone: an author's subclass may never call that.
        error = super().__new__(cls, *args)
        error.retryable = cls.default_retryable
        error.metadata = {}
        error.context = {}
        error.error_code = None
        error.retry_after = None
        return error

    def __init__(
        self,
        message: str = "",
        *,
        retryable: bool | None = None,
        metadata: Mapping[str, Any] | None = None,
        error_code: str | None = None,
        retry_after: float | None = None,
        context: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.retryable: bool = self.default_retryable if retryable is None else retryable
        self.metadata: dict[str, Any] = dict(metadata or {})
        self.context: dict[str, Any] = dict(context or {})
        self.error_code: str | None = error_code
        self.retry_after: float | None = retry_after

    @property
    def error_type(self) -> str:
        """The `ErrorType` recorded: the class's own, or that of whether it may be retried."""
        if self.fixed_error_type is not None:
            return self.fixed_error_type
        return "retryable_error" if self.retryable else "permanent_error"

    def to_dict(self) -> dict[str, Any]:
        """Class, message, `retryable`, and all that is kept with the step as `metadata`."""
        told = {"error_code": self.error_code, "retry_after": self.retry_after}
        known = {key: value for key, value in told.items() if value is not None}
        return {
            "error_type": type(self).__name__,
            "message": str(self),
            "retryable": self.retryable,
            "metadata": {**self.metadata, **known, **self.context},
        }


class RetryableError(TaskerError):
    """A failure that may pass: the step is tried again while attempts remain."""


class TimeoutError(RetryableError):  # noqa: A001  the interface's name
    """Something that the handler waited for took too long."""

    fixed_error_type = "timeout"


class NetworkError(RetryableError):
    """A connection failed or broke."""


class RateLimitError(RetryableError):
    """A service asked for fewer requests; set `retry_after` where it said when."""


class ServiceUnavailableError(RetryableError):
    """A service that the handler needs is down."""


class ResourceContentionError(RetryableError):
    """Something needed is held by somebody else, or out of stock for now."""


class PermanentError(TaskerError):
    """A failure that no retry can cure: the step fails at once."""

    default_retryable = False


class ValidationError(PermanentError):
    """The step's input is wrong."""

    fixed_error_type = "validation_error"


class NotFoundError(PermanentError):
    """Something that the step names does not exist."""


class AuthenticationError(PermanentError):
    """A service does not know who is calling."""


class AuthorizationError(PermanentError):
    """A service knows the caller, who may not do this."""


class ConfigurationError(PermanentError):
    """The step or its handler is set up wrongly."""


class BusinessLogicError(PermanentError):
    """A rule of the business forbids it."""


# -- What the engine raises -----------------------------------------------------------------------


class EngineError(Exception):
    """The base of the engine's own errors; one line of text, `exit_code` for the command line."""

    exit_code: ClassVar[int] = 1


class InvalidInputError(EngineError):
    """What the user gave is wrong."""

    exit_code = 2


class ConfigError(InvalidInputError):
    """A configuration file, variable or flag is wrong."""


class TemplateError(InvalidInputError):
    """A task template is wrong."""


class TemplateNotFoundError(InvalidInputError):
    """No such template, or no such version of it."""


class ContextError(InvalidInputError):
    """A task's context is not a JSON object, breaks its schema, or is too large."""


class IdempotencyConflictError(InvalidInputError):
    """An idempotency key was used before, with another content."""


class UnreachableError(EngineError):
    """The database or the supervisor does not answer."""

    exit_code = 3


class UnknownTaskError(EngineError):
    """The database holds no such task or step."""

    exit_code = 4


class IllegalTransitionError(EngineError):
    """A task or step cannot go from `old` to `new`; `kind` is "task" or "step"."""

    def __init__(self, kind: str, old: str, new: str) -> None:
        super().__init__(f"a {kind} cannot go from {old} to {new}")
        self.kind = kind
        self.old = old
        self.new = new


class UnencodableResultError(EngineError):
    """JSON cannot carry a handler's value."""


class TransportError(EngineError):
    """A message could not cross between the supervisor and a worker."""


class RingCorruptError(TransportError):
    """A ring's record has a wrong sequence, length or checksum."""


class PayloadTooLargeError(TransportError):
    """A message is above the hard maximum."""


class StatusPageError(EngineError):
    """The page of a running supervisor cannot be read."""


class HandlerError(EngineError):
    """Something is wrong with a handler's code, rather than with a run of it."""


class HandlerLoadError(HandlerError):
    """A callable is outside the handler packages, cannot be imported, or is not a handler."""
