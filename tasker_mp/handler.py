"""The class that a handler's author extends, and how a worker runs one."""

import inspect
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from functools import cached_property
from typing import Any, ClassVar, Self

from tasker_mp import outcome
from tasker_mp.context import StepContext
from tasker_mp.errors import ConfigurationError
from tasker_mp.messages import StepOutcome
from tasker_mp.result import ErrorType, StepHandlerResult

AsyncRunner = Callable[[Coroutine[Any, Any, object]], object]
"""Runs a coroutine to its end on an event loop that the caller keeps."""


class StepHandler:
    """Runs a step: extend it and define `call`.

    The registry makes one instance per worker process and `initialization`, and calls it for many
    steps: keep nothing about a step on `self`. `config` is set before `__init__` runs, which takes
    no arguments.
    """

    handler_name: ClassVar[str] = ""
    """The name that templates may use instead of the dotted path; optional."""

    handler_version: ClassVar[str] = "1.0.0"

    concurrency: ClassVar[str] = ""
    """"thread": `call` is synchronous, mostly waits, and may run in several threads of a worker at
    once. An `async` one runs beside others anyway; any other has the worker to itself."""

    config: dict[str, Any]
    """The template's `handler.initialization`."""

    def __new__(cls, *_args: Any, **_kwargs: Any) -> Self:
        handler = super().__new__(cls)
        handler.config = {}
        return handler

    def call(self, context: StepContext) -> Any:
        """Run the step; may be `async`.

        Returns a `StepHandlerResult`, a dict, None, or any JSON value (recorded as
        `{"result": value}`), or raises: see `tasker_mp.errors`.
        """
        raise ConfigurationError(f"{type(self).__qualname__} does not define call()")

    @cached_property
    def logger(self) -> logging.Logger:
        """Named after the class's module and name."""
        return logging.getLogger(f"{type(self).__module__}.{type(self).__qualname__}")

    @property
    def name(self) -> str:
        """`handler_name`, or else the class's name."""
        return self.handler_name or type(self).__name__

    @property
    def version(self) -> str:
        return self.handler_version

    @property
    def capabilities(self) -> list[str]:
        """What the handler can do; extend it to say more."""
        return ["process"]

    def config_schema(self) -> dict[str, Any] | None:
        """A JSON Schema of `config`, or None where any will do."""
        return None

    def __repr__(self) -> str:
        return f"{type(self).__name__}(name={self.name!r}, version={self.version!r})"

    def success(
        self, result: object = None, metadata: Mapping[str, Any] | None = None
    ) -> StepHandlerResult:
        return StepHandlerResult.success(result, metadata)

    def failure(
        self,
        message: str,
        error_type: str = ErrorType.HANDLER_ERROR,
        retryable: bool = True,
        metadata: Mapping[str, Any] | None = None,
        error_code: str | None = None,
    ) -> StepHandlerResult:
        return StepHandlerResult.failure(message, error_type, retryable, metadata, error_code)

    def retryable_error(
        self,
        message: str,
        details: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> StepHandlerResult:
        """A failure that may pass; `details` are kept with the metadata."""
        kept = {**(details or {}), **(metadata or {})}
        return StepHandlerResult.failure(message, ErrorType.RETRYABLE_ERROR, True, kept)

    def permanent_error(
        self,
        message: str,
        details: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> StepHandlerResult:
        """A failure that no retry can cure; `details` are kept with the metadata."""
        kept = {**(details or {}), **(metadata or {})}
        return StepHandlerResult.failure(message, ErrorType.PERMANENT_ERROR, False, kept)


StepHandlerCallResult = StepHandlerResult | Awaitable[StepHandlerResult]
"""What `call` returns, by an author who returns results."""


def invoke(
    handler: StepHandler,
    method: str,
    context: StepContext,
    run_async: AsyncRunner,
    max_payload_bytes: int,
) -> StepOutcome:
    """Run `handler.method(context)`; whatever it returns or raises becomes an outcome.

    Nothing escapes: a handler that calls `sys.exit()` or cancels itself has failed its own step.
    """
    try:
        returned = getattr(handler, method)(context)
        if inspect.isawaitable(returned):
            returned = run_async(_awaited(returned))
    except BaseException as error:
        return outcome.of_exception(error)
    return _outcome_of(returned, context, max_payload_bytes)


async def invoke_async(
    handler: StepHandler, method: str, context: StepContext, max_payload_bytes: int
) -> StepOutcome:
    """As `invoke`, on the running event loop: a cancelled one has failed its step, too."""
    try:
        returned = getattr(handler, method)(context)
        if inspect.isawaitable(returned):
            returned = await returned
    except BaseException as error:
        return outcome.of_exception(error)
    return _outcome_of(returned, context, max_payload_bytes)


def _outcome_of(returned: object, context: StepContext, max_payload_bytes: int) -> StepOutcome:
    if isinstance(returned, StepHandlerResult):
        return outcome.of_result(returned, max_payload_bytes, context.stored_checkpoint)
    return outcome.of_value(returned, None, max_payload_bytes)


async def _awaited(awaitable: Awaitable[object]) -> object:
    return await awaitable
