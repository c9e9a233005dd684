"""The packages whose code a template may name: nothing outside them is ever imported."""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator, Sequence
from types import ModuleType
from typing import Any, TypeGuard

from tasker_mp.errors import HandlerLoadError
from tasker_mp.handler import StepHandler
from tasker_mp.nearest import suggestion

HandlerClass = type[StepHandler]


class HandlerPackages:
    """Looks handler classes up in `names` and the packages below them."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self._broken: dict[str, str] = {}

    def __str__(self) -> str:
        return f"the handler packages ({', '.join(self.names) or 'none is configured'})"

    def class_at(self, path: str) -> HandlerClass:
        """The handler class, or that of the function, at a dotted path; `HandlerLoadError` with the
        cure if there is none."""
        # Before anything is imported: a template is data, and importing runs code.
        self.require(path)
        module_name, _, class_name = path.rpartition(".")
        module = self._import(module_name, path)
        found = vars(module).get(class_name)
        if found is None:
            known = [cls.__name__ for cls in handlers_of(module)]
            raise HandlerLoadError(
                f"{path}: module {module_name} has no {class_name}; {suggestion(class_name, known)}"
            )
        cls = require_handler(path, class_behind(found))
        if not self._cover(cls.__module__):
            raise HandlerLoadError(
                f"{path} is defined in {cls.__module__}, outside {self}; extend it there, "
                "or add its package to worker.handler_packages"
            )
        return cls

    def modules(self, package: str, report: Callable[[str], None]) -> Iterator[ModuleType]:
        """`package` and all modules below it, imported; `report` gets one line for each failure."""
        try:
            module = self._import(package, package)
        except HandlerLoadError as error:
            report(str(error))
            return
        yield module
        for info in pkgutil.iter_modules(getattr(module, "__path__", ())):
            if info.name != "__main__":  # importing it would run a program
                yield from self.modules(f"{package}.{info.name}", report)

    def require(self, path: str) -> None:
        """`HandlerLoadError` unless `path` is a dotted path in these packages."""
        if not self._cover(path) or not all(part.isidentifier() for part in path.split(".")):
            example = f"{next(iter(self.names), 'handlers')}.module.ClassName"
            raise HandlerLoadError(f"{path} is outside {self}; name a class there, as {example}")

    def _cover(self, path: str) -> bool:
        return any(path == name or path.startswith(f"{name}.") for name in self.names)

    def _import(self, module_name: str, wanted_by: str) -> ModuleType:
        """The module; one that is broken is tried once, since importing it runs code."""
        if module_name not in self._broken:
            try:
                return importlib.import_module(module_name)
            except (Exception, SystemExit) as error:
                self._broken[module_name] = _reason(module_name, error)
        subject = "" if wanted_by == module_name else f"{wanted_by}: "
        raise HandlerLoadError(f"{subject}{self._broken[module_name]}")


def handlers_of(module: ModuleType) -> list[HandlerClass]:
    """The handlers that the module itself defines, functions too, in the order of their names."""
    found = dict.fromkeys(
        class_behind(value)
        for _, value in sorted(vars(module).items())
        if _is_handler_of(module, value)
    )
    return [cls for cls in found if not inspect.isabstract(cls)]


def _is_handler_of(module: ModuleType, value: object) -> bool:
    if inspect.isclass(value) and value.__name__.startswith("_"):
        return False
    cls = class_behind(value)
    return is_handler(cls) and cls.__module__ == module.__name__


def class_behind(value: Any) -> Any:
    """The handler class of a decorated function; anything else as it is."""
    if inspect.isfunction(value) and "_handler_class" in vars(value):
        return vars(value)["_handler_class"]
    return value


def is_handler(value: object) -> TypeGuard[HandlerClass]:
    return inspect.isclass(value) and issubclass(value, StepHandler) and value is not StepHandler


def require_handler(name: str, value: object) -> HandlerClass:
    """`value`; `HandlerLoadError` unless it is a subclass of `StepHandler`."""
    if is_handler(value):
        return value
    kind = "another class" if inspect.isclass(value) else f"a {type(value).__name__}"
    raise HandlerLoadError(
        f"{name} is {kind}, not a subclass of StepHandler nor a function decorated as a handler"
    )


def one_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}".rstrip(": ")


def _reason(module_name: str, error: BaseException) -> str:
    # Its own absence, rather than that of something that it imports.
    missing = error.name if isinstance(error, ModuleNotFoundError) else None
    if missing and (module_name == missing or module_name.startswith(f"{missing}.")):
        return f"there is no module {missing}"
    return f"module {module_name} cannot be imported: {one_line(error)}"
