"""Which handler runs a step: looked up by name or dotted path, made once, kept."""

import contextlib
import inspect
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from tasker_mp.errors import HandlerLoadError
from tasker_mp.handler import StepHandler
from tasker_mp.nearest import suggestion
from tasker_mp.packages import (
    HandlerClass,
    HandlerPackages,
    handlers_of,
    one_line,
    require_handler,
)
from tasker_mp.template.model import HandlerDefinition, Template


class HandlerCheck(Struct, frozen=True):
    """A callable that a template's step names; `problem` says what is wrong and the cure, if any.

    `template` is `namespace/name@version`.
    """

    template: str
    step: str
    callable: str
    method: str
    problem: str | None = None


class HandlerRegistry:
    """Handlers by dotted path and by `handler_name`; instances by callable and `initialization`.

    `packages` are the only ones whose code a callable may name. The folder that holds them must
    be on `sys.path`. Every refusal is a `HandlerLoadError`, and stands as long as the registry.
    """

    def __init__(self, packages: Sequence[str]) -> None:
        self._packages = HandlerPackages(packages)
        self._classes: dict[str, HandlerClass] = {}
        self._instances: dict[tuple[HandlerClass, bytes], StepHandler] = {}
        self._resolved: dict[tuple[str, str, bytes], StepHandler] = {}
        self._refusals: dict[str, str] = {}
        self._discovered: dict[str, list[str]] = {}

    def register(self, name: str, cls: HandlerClass) -> None:
        """Let templates name `cls` as `name`; replaces what the name meant before."""
        self._classes[name] = require_handler(name, cls)
        self._refusals.pop(name, None)
        self._resolved.clear()

    def registered_handlers(self) -> list[str]:
        """Every known name and dotted path, sorted."""
        return sorted(self._classes)

    def handler_available(self, name: str) -> bool:
        """Whether `name` (a name or a dotted path) resolves."""
        return self._problem_of(HandlerDefinition(name)) is None

    def resolve(self, name: str | HandlerDefinition) -> StepHandler:
        """The handler that a name, a dotted path or a definition means.

        The same class and `initialization` give the same instance; `config` is set to the latter
        before the instance's `__init__` runs.
        """
        definition = HandlerDefinition(name) if isinstance(name, str) else name
        settings = _fingerprint(definition.initialization)
        key = (definition.callable, definition.method, settings)
        handler = self._resolved.get(key)
        if handler is None:
            cls = self._class(definition.callable)
            _require_method(cls, definition)
            if (cls, settings) not in self._instances:
                self._instances[cls, settings] = _instance(cls, definition)
            handler = self._resolved[key] = self._instances[cls, settings]
        return handler

    def discover_handlers(self, package: str) -> int:
        """Import every module of `package`; registers its handlers by dotted path and name.

        Returns how many handler classes there are. What cannot be loaded does not stop the rest:
        it is raised at the end, all in one `HandlerLoadError`.
        """
        self._packages.require(package)
        problems = self._discovered[package] = []
        count = 0
        for module in self._packages.modules(package, problems.append):
            for cls in handlers_of(module):
                count += 1
                self._classes[_path_of(cls)] = cls
                self._register_name(cls, problems)
        if problems:
            raise HandlerLoadError("; ".join(problems))
        return count

    def check(self, templates: Iterable[Template]) -> list[HandlerCheck]:
        """Every callable that the templates' steps name, and whether it resolves."""
        return [
            HandlerCheck(
                template.key,
                step.name,
                step.handler.callable,
                step.handler.method,
                self._problem_of(step.handler),
            )
            for template in templates
            for step in template.steps
        ]

    def problems_of(self, templates: Iterable[Template]) -> list[HandlerCheck]:
        """Those of `check` that do not resolve."""
        return [check for check in self.check(templates) if check.problem is not None]

    def _problem_of(self, definition: HandlerDefinition) -> str | None:
        try:
            self.resolve(definition)
        except HandlerLoadError as error:
            return str(error)
        return None

    def _class(self, name: str) -> HandlerClass:
        """A refusal is remembered, so that a broken module is not imported for every step."""
        if name not in self._classes and name not in self._refusals:
            try:
                self._classes[name] = self._found(name)
            except HandlerLoadError as error:
                self._refusals[name] = str(error)
        if name in self._refusals:
            raise HandlerLoadError(self._refusals[name])
        return self._classes[name]

    def _found(self, name: str) -> HandlerClass:
        if "." in name:
            return self._packages.class_at(name)
        for package in self._packages.names:
            if package not in self._discovered:
                with contextlib.suppress(HandlerLoadError):  # named below, if it matters
                    self.discover_handlers(package)
        if name in self._classes:
            return self._classes[name]
        raise HandlerLoadError(self._unknown(name))

    def _unknown(self, name: str) -> str:
        # A template may name the class without its module.
        same_class = [path for path in self._classes if path.endswith(f".{name}")]
        names = [known for known in self._classes if "." not in known]
        cure = f"did you mean '{same_class[0]}'?" if same_class else suggestion(name, names)
        broken = "; ".join(line for lines in self._discovered.values() for line in lines)
        note = f" (not loaded: {broken})" if broken else ""
        return f"no handler in {self._packages} has the handler_name '{name}'; {cure}{note}"

    def _register_name(self, cls: HandlerClass, problems: list[str]) -> None:
        name = vars(cls).get("handler_name")  # its own: one that it inherits names the parent
        if not name:
            return
        taken = self._classes.setdefault(name, cls)
        if taken is not cls:
            problems.append(
                f"the handler_name '{name}' of {_path_of(cls)} is taken by {_path_of(taken)}; "
                "rename one of them"
            )


def _instance(cls: HandlerClass, definition: HandlerDefinition) -> StepHandler:
    try:
        handler = cls.__new__(cls)
        handler.config = msgspec.json.decode(msgspec.json.encode(definition.initialization))
        cls.__init__(handler)
    except (Exception, SystemExit) as error:
        raise HandlerLoadError(
            f"{definition.callable} cannot be created: {one_line(error)}"
        ) from error
    return handler


def _require_method(cls: HandlerClass, definition: HandlerDefinition) -> None:
    """The step's method must be public, and the author's own rather than `StepHandler`'s."""
    name = definition.method
    if name in _methods_of(cls):
        return
    cure = f"define {name}(self, context)" if name == "call" else suggestion(name, _methods_of(cls))
    raise HandlerLoadError(f"{definition.callable} has no method {name} of its own; {cure}")


def _methods_of(cls: HandlerClass) -> list[str]:
    return [
        name
        for name, value in inspect.getmembers(cls, callable)
        if not name.startswith("_")
        and (name == "call" or not hasattr(StepHandler, name))
        and value is not StepHandler.call
    ]


def _path_of(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


def _fingerprint(initialization: dict[str, Any]) -> bytes:
    return msgspec.json.encode(initialization, order="deterministic") if initialization else b""
