"""Durable workflows on one host."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tasker_mp import errors as errors
    from tasker_mp.client import AsyncClient as AsyncClient
    from tasker_mp.client import Client as Client
    from tasker_mp.config import load_config as load_config
    from tasker_mp.context import StepContext as StepContext
    from tasker_mp.handler import StepHandler as StepHandler
    from tasker_mp.registry import HandlerRegistry as HandlerRegistry
    from tasker_mp.result import ErrorType as ErrorType
    from tasker_mp.result import StepHandlerResult as StepHandlerResult
    from tasker_mp.system import bootstrap as bootstrap

# Imported on first use: a handler's author never pays for the client and its database driver.
_HOMES = {
    "AsyncClient": "tasker_mp.client",
    "Client": "tasker_mp.client",
    "ErrorType": "tasker_mp.result",
    "HandlerRegistry": "tasker_mp.registry",
    "StepContext": "tasker_mp.context",
    "StepHandler": "tasker_mp.handler",
    "StepHandlerResult": "tasker_mp.result",
    "bootstrap": "tasker_mp.system",
    "load_config": "tasker_mp.config",
}

__all__ = [
    "AsyncClient",
    "Client",
    "ErrorType",
    "HandlerRegistry",
    "StepContext",
    "StepHandler",
    "StepHandlerResult",
    "bootstrap",
    "errors",
    "load_config",
]


def __getattr__(name: str) -> Any:
    if name == "errors":
        return import_module("tasker_mp.errors")
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415  slow, and few ask

        return version("tasker-mp")
    if name not in _HOMES:
        raise AttributeError(f"module 'tasker_mp' has no attribute '{name}'")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})
