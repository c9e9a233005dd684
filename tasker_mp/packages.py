"""The packages whose code a template may name: nothing outside them is ever imported."""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator, Sequence
from types import ModuleType
from typing import TypeGuard

from tasker_mp.errors import HandlerLoadError
from tasker_mp.handler import StepHandler
from tasker_mp.nearest import suggestion

HandlerClass = type[StepHandler]


class HandlerPackages:
    """Looks handler classes up in `names` and the packages below them."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)

    def __str__(self) -> str:
        return f"the handler packages ({', '.join(self.names) or 'none is configured'})"

    def class_at(self, path: str) -> HandlerClass:
        """The handler class at a dotted path; `HandlerLoadError` with the cure if there is none."""
        # Before anything is imported: a template is data, and importing runs code.
        self.require(path)
        module_name, _, class_name = path.rpartition(".")
        module = _import(module_name, path)
        found = vars(module).get(class_name)
        if found is None:
            known = [cls.__name__ for cls in handlers_of(module)]
            raise HandlerLoadError(
                f"{path}: module {module_name} has no {class_name}; {suggestion(class_name, known)}"
            )
        cls = require_handler(path, found)
        if not self._cover(cls.__module__):
            raise HandlerLoadError(
                f"{path} is defined in {cls.__module__}, outside {self}; extend it there, "
                "or add its package to worker.handler_packages"
            )
        return cls

    def modules(self, package: str, report: Callable[[str], None]) -> Iterator[ModuleType]:
        """`package` and all modules below it, imported; `report` gets one line for each failure."""
        try:
            module = _import(package, package)
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


def handlers_of(module: ModuleType) -> list[HandlerClass]:
    """The handlers that the module itself defines, in the order of their names."""
    found = dict.fromkeys(
        cls
        for _, cls in sorted(vars(module).items())
        if is_handler(cls) and cls.__module__ == module.__name__
    )
    return [cls for cls in found if not (inspect.isabstract(cls) or cls.__name__.startswith("_"))]


def is_handler(value: object) -> TypeGuard[HandlerClass]:
    return inspect.isclass(value) and issubclass(value, StepHandler) and value is not StepHandler


def require_handler(name: str, value: object) -> HandlerClass:
    """`value`; `HandlerLoadError` unless it is a subclass of `StepHandler`."""
    if is_handler(value):
        return value
    kind = "another class" if inspect.isclass(value) else f"a {type(value).__name__}"
    raise HandlerLoadError(f"{name} is {kind}, not a subclass of StepHandler")


def one_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}".rstrip(": ")


def _import(module_name: str, wanted_by: str) -> ModuleType:
    try:
        return importlib.import_module(module_name)
    except (Exception, SystemExit) as error:
        # Its own absence, rather than that of something that it imports.
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        if missing and (module_name == missing or module_name.startswith(f"{missing}.")):
            reason = f"there is no module {missing}"
        else:
            reason = f"module {module_name} cannot be imported: {one_line(error)}"
        subject = "" if wanted_by == module_name else f"{wanted_by}: "
        raise HandlerLoadError(f"{subject}{reason}") from error
