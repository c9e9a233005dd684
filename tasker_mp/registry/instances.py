"""Handlers made from classes: one for each class and `initialization`, kept."""

import inspect
from typing import Any

import msgspec

from tasker_mp.errors import HandlerLoadError
from tasker_mp.handler import StepHandler
from tasker_mp.nearest import suggestion
from tasker_mp.packages import HandlerClass, one_line
from tasker_mp.registry.definition import HandlerDefinition


class Instances:
    def __init__(self) -> None:
        self._made: dict[tuple[HandlerClass, bytes], StepHandler] = {}

    def of(self, cls: HandlerClass, definition: HandlerDefinition) -> StepHandler:
        """The instance of `cls`; `config` is the `initialization`, set before `__init__` runs."""
        key = (cls, fingerprint(definition.initialization))
        if key not in self._made:
            self._made[key] = _made(cls, definition)
        return self._made[key]

    def clear(self) -> None:
        self._made.clear()


def fingerprint(initialization: dict[str, Any]) -> bytes:
    """Equal for equal settings, whatever their order."""
    return msgspec.json.encode(initialization, order="deterministic") if initialization else b""


def require_method(cls: HandlerClass, definition: HandlerDefinition) -> None:
    """The step's method must be public, and the author's own rather than the engine's."""
    name = definition.effective_method()
    own = _methods_of(cls)
    if name in own:
        return
    cure = f"define {name}(self, context)" if name == "call" else suggestion(name, own)
    raise HandlerLoadError(f"{definition.callable} has no method {name} of its own; {cure}")


def _made(cls: HandlerClass, definition: HandlerDefinition) -> StepHandler:
    try:
        handler = cls.__new__(cls)
        handler.config = msgspec.json.decode(msgspec.json.encode(definition.initialization))
        given = {"config": handler.config} if _asks_for_config(cls) else {}
        cls.__init__(handler, **given)
    except (Exception, SystemExit) as error:
        raise HandlerLoadError(
            f"{definition.callable} cannot be created: {one_line(error)}"
        ) from error
    return handler


def _asks_for_config(cls: HandlerClass) -> bool:
    config = inspect.signature(cls.__init__).parameters.get("config")
    return config is not None and config.default is config.empty


def _methods_of(cls: HandlerClass) -> list[str]:
    return [
        name
        for name, value in inspect.getmembers(cls, callable)
        if not name.startswith("_") and _is_authors(cls, name, value)
    ]


def _is_authors(cls: HandlerClass, name: str, value: object) -> bool:
    # A decorated function's handler has its `call` from us.
    if name == "call":
        return value is not StepHandler.call
    home = next(base for base in cls.__mro__ if name in vars(base))
    return home.__module__.partition(".")[0] != __name__.partition(".")[0]
