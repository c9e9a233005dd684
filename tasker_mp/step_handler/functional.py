"""Handlers as plain functions: a decorator names one, and says what kind of step it runs."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, runtime_checkable

import msgspec

from tasker_mp.batch_processing import Batchable
from tasker_mp.batch_processing.outcome import BatchAnalyzerOutcome
from tasker_mp.context import StepContext
from tasker_mp.decision_point import DecisionPointOutcome
from tasker_mp.failure import failure_of
from tasker_mp.handler import StepHandler
from tasker_mp.result import StepHandlerResult
from tasker_mp.step_handler.injection import Function, Source, depends_on, injection_of, inputs
from tasker_mp.step_handler.mixins import APIMixin, DecisionMixin

__all__ = [
    "BatchConfig",
    "Decision",
    "FunctionalHandler",
    "HandlerDecorator",
    "api_handler",
    "batch_analyzer",
    "batch_worker",
    "decision_handler",
    "depends_on",
    "inputs",
    "step_handler",
]


@runtime_checkable
class FunctionalHandler(Protocol):
    """A decorated function: still to be called as before, and a handler to the engine."""

    _handler_class: type[StepHandler]
    __name__: str
    __call__: Callable[..., Any]


HandlerDecorator = Callable[[Function], FunctionalHandler]


@dataclass(frozen=True)
class Decision:
    """What a `decision_handler` returns.

    >>> Decision.route(["approve"], amount=500).outcome.routing_context
    {'amount': 500}
    """

    outcome: DecisionPointOutcome

    @staticmethod
    def route(steps: list[str], **routing_context: Any) -> "Decision":
        """Create these of the template's steps; the context is kept in the result."""
        return Decision(DecisionPointOutcome.create_steps(steps, routing_context=routing_context))

    @staticmethod
    def skip(reason: str, **routing_context: Any) -> "Decision":
        """Create none."""
        return Decision(DecisionPointOutcome.no_branches(reason, routing_context))


@dataclass
class BatchConfig:
    """What a `batch_analyzer` returns: how many items there are, and how many make a batch. Every
    worker is given `metadata`."""

    total_items: int
    batch_size: int
    metadata: dict[str, Any] = field(default_factory=dict)


class _Function(StepHandler):
    """A handler that runs a function; what it raises becomes a failure."""

    _function: ClassVar[Function]

    def __init__(self) -> None:
        # Not when it is decorated: the decorators may stand in any order.
        self._injection = injection_of(self._function, self._provided())

    def call(self, context: StepContext) -> Any:
        try:
            returned = self._function(**self._injection.arguments(context))
            return (
                self._finished(returned)
                if inspect.isawaitable(returned)
                else self._result(returned)
            )
        except Exception as error:
            return failure_of(error)

    async def _finished(self, awaitable: Any) -> StepHandlerResult:
        try:
            return self._result(await awaitable)
        except Exception as error:
            return failure_of(error)

    def _provided(self) -> Mapping[str, Source]:
        """What is passed besides, where the function takes it."""
        return {}

    def _result(self, returned: Any) -> StepHandlerResult:
        if isinstance(returned, StepHandlerResult):
            return returned
        return StepHandlerResult.success(_object_of(returned))


class _AsyncFunction:
    """First base of an `async` function's handler, which a worker tells by its `call`."""

    _function: ClassVar[Function]
    _finished: Callable[[Any], Any]
    _injection: Any

    async def call(self, context: StepContext) -> StepHandlerResult:
        try:
            awaitable = self._function(**self._injection.arguments(context))
        except Exception as error:
            return failure_of(error)
        finished: StepHandlerResult = await self._finished(awaitable)
        return finished


class _DecisionFunction(DecisionMixin, _Function):
    def _result(self, returned: Any) -> StepHandlerResult:
        outcome = returned.outcome if isinstance(returned, Decision) else returned
        if isinstance(outcome, DecisionPointOutcome):
            return self.decision_success_with_outcome(outcome)
        return super()._result(returned)


class _AnalyzerFunction(Batchable, _Function):
    _worker_template: ClassVar[str]

    def _result(self, returned: Any) -> StepHandlerResult:
        if isinstance(returned, BatchConfig):
            returned = self.create_batch_outcome(
                returned.total_items, returned.batch_size, batch_metadata=returned.metadata
            )
        if isinstance(returned, BatchAnalyzerOutcome):
            return self.batch_analyzer_success(returned, worker_template_name=self._worker_template)
        return super()._result(returned)


class _WorkerFunction(Batchable, _Function):
    def _provided(self) -> Mapping[str, Source]:
        return {"batch_context": self.get_batch_context}


class _ApiFunction(APIMixin, _Function):
    def _provided(self) -> Mapping[str, Source]:
        return {"api": lambda _context: self}


def step_handler(name: str, version: str = "1.0.0") -> HandlerDecorator:
    """Make a function the handler `name`.

    It returns a dict, a Struct, a dataclass, a pydantic model or None, which is its result, or
    anything else, which is recorded as `{"result": …}`; or it raises: see `tasker_mp.errors`.

    >>> @step_handler("double")
    ... @inputs("n")
    ... def double(n):
    ...     return {"doubled": 2 * n}
    >>> double(4), double._handler_class.handler_name
    ({'doubled': 8}, 'double')
    """
    return _decorator(_Function, name, version)


def decision_handler(name: str, version: str = "1.0.0") -> HandlerDecorator:
    """Make a function that returns a `Decision` the handler `name` of a decision step.

    >>> @decision_handler("route_order")
    ... @depends_on(order="validate_order")
    ... def route_order(order):
    ...     if order["total"] > 1000:
    ...         return Decision.route(["approve_by_hand"], total=order["total"])
    ...     return Decision.skip("small enough")
    """
    return _decorator(_DecisionFunction, name, version)


def batch_analyzer(name: str, worker_template: str, version: str = "1.0.0") -> HandlerDecorator:
    """Make a function that returns a `BatchConfig` the handler `name` of a batchable step, whose
    batches the template's step `worker_template` does.

    >>> @batch_analyzer("count_rows", worker_template="load_rows")
    ... def count_rows(context):
    ...     return BatchConfig(total_items=1000, batch_size=100)
    """
    return _decorator(_AnalyzerFunction, name, version, _worker_template=worker_template)


def batch_worker(name: str, version: str = "1.0.0") -> HandlerDecorator:
    """Make a function the handler `name` of a batch worker: `batch_context` is its
    `BatchWorkerContext`.

    >>> @batch_worker("load_rows")
    ... def load_rows(batch_context):
    ...     return {"items_processed": batch_context.end_cursor - batch_context.start_cursor}
    """
    return _decorator(_WorkerFunction, name, version)


def api_handler(
    name: str,
    base_url: str,
    version: str = "1.0.0",
    timeout: float = 30.0,
    default_headers: dict[str, str] | None = None,
) -> HandlerDecorator:
    """Make a function the handler `name`: `api` asks the HTTP service at `base_url`, as `APIMixin`
    does; `timeout` is in seconds.

    >>> @api_handler("fetch_user", base_url="https://api.example.com", timeout=5)
    ... @inputs("user")
    ... def fetch_user(user, api):
    ...     response = api.get(f"/users/{user}")
    ...     return api.api_success(response) if response.ok else api.api_failure(response)
    """
    return _decorator(
        _ApiFunction,
        name,
        version,
        base_url=base_url,
        default_timeout=timeout,
        default_headers=default_headers or {},
    )


def _decorator(
    base: type[_Function], name: str, version: str, **attributes: Any
) -> HandlerDecorator:
    def decorate(function: Function) -> FunctionalHandler:
        bases = (_AsyncFunction, base) if inspect.iscoroutinefunction(function) else (base,)
        names = {
            "handler_name": name,
            "handler_version": version,
            "_function": staticmethod(function),
            # The class stands for the function: in messages, and in dotted paths.
            "__module__": function.__module__,
            "__qualname__": function.__qualname__,
            "__doc__": function.__doc__,
            **attributes,
        }
        function._handler_class = type(function.__name__, bases, names)  # type: ignore[attr-defined]
        return function  # type: ignore[return-value]

    return decorate


def _object_of(returned: Any) -> dict[str, Any]:
    if returned is None:
        return {}
    if isinstance(returned, msgspec.Struct) or hasattr(returned, "__dataclass_fields__"):
        returned = msgspec.to_builtins(returned, builtin_types=(bytes, bytearray, memoryview))
    elif hasattr(returned, "model_dump"):
        returned = returned.model_dump(mode="json")
    return returned if isinstance(returned, dict) else {"result": returned}
