"""What a test may hand over as a handler, and the registry that finds it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from tasker_mp.context import StepContext
from tasker_mp.errors import HandlerLoadError
from tasker_mp.handler import StepHandler
from tasker_mp.packages import class_behind, is_handler
from tasker_mp.registry import HandlerRegistry

Handler: TypeAlias = type[StepHandler] | StepHandler | Callable[..., Any]
"""A handler class, an instance, a decorated function, or a plain function of the context."""


def registry_of(
    packages: Sequence[str] = (), handlers: Mapping[str, Handler] | None = None
) -> HandlerRegistry:
    """A registry of its own, whose instances no other run shares; `handlers` by the callables that
    templates name come before what is in `packages`."""
    registry = HandlerRegistry(packages)
    for name, handler in (handlers or {}).items():
        registry.resolver_chain.register(name, _resolvable(name, handler))
    return registry


def name_of(handler: Handler) -> str:
    """The dotted path under which a template would name it."""
    named = type(handler) if isinstance(handler, StepHandler) else class_behind(handler)
    module = getattr(named, "__module__", __name__)
    return f"{module}.{getattr(named, '__qualname__', type(named).__name__)}"


def _resolvable(name: str, handler: Handler) -> type[StepHandler] | StepHandler:
    behind = class_behind(handler)
    if isinstance(behind, StepHandler) or is_handler(behind):
        return behind
    if callable(behind) and not isinstance(behind, type):
        return _of_function(behind)
    raise HandlerLoadError(
        f"{name}: {behind!r:.80} is no handler; give a StepHandler, a decorated function, or a "
        "function of the context"
    )


def _of_function(function: Callable[..., Any]) -> type[StepHandler]:
    def call(_self: StepHandler, context: StepContext) -> Any:
        return function(context)

    return type(getattr(function, "__name__", "function"), (StepHandler,), {"call": call})
