"""Handlers by the dotted paths of their classes and functions."""

from collections.abc import Sequence
from typing import Any, Final

from tasker_mp.packages import HandlerClass, HandlerPackages
from tasker_mp.registry.definition import HandlerDefinition
from tasker_mp.registry.resolver import BaseResolver

CLASS_LOOKUP: Final = "class_lookup"


class ClassLookupResolver(BaseResolver):
    """Asked last. Imports nothing outside `packages`; `HandlerLoadError` with the cure where a path
    leads to no handler."""

    def __init__(self, packages: HandlerPackages | Sequence[str] = ()) -> None:
        if not isinstance(packages, HandlerPackages):
            packages = HandlerPackages(packages)
        self._packages = packages
        self._classes: dict[str, HandlerClass] = {}

    @property
    def name(self) -> str:
        return CLASS_LOOKUP

    @property
    def priority(self) -> int:
        return 100

    def can_resolve(
        self,
        definition: HandlerDefinition,
        config: dict[str, Any] | None = None,
    ) -> bool:
        return "." in definition.callable

    def resolve(
        self,
        definition: HandlerDefinition,
        config: dict[str, Any] | None = None,
    ) -> HandlerClass:
        path = definition.callable
        if path not in self._classes:
            self._classes[path] = self._packages.class_at(path)
        return self._classes[path]

    def note(self, path: str, cls: HandlerClass) -> None:
        """Take `cls` as found at `path`."""
        self._classes[path] = cls

    def get(self, path: str) -> HandlerClass | None:
        return self._classes.get(path)

    def clear(self) -> None:
        self._classes.clear()

    def registered_callables(self) -> list[str]:
        return list(self._classes)
