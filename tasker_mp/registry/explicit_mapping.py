"""Handlers by the names that they were registered under."""

import inspect
from typing import Any, Final

from tasker_mp.registry.definition import HandlerDefinition
from tasker_mp.registry.resolver import BaseResolver

EXPLICIT: Final = "explicit_mapping"


class ExplicitMappingResolver(BaseResolver):
    """Asked first. An entry is a handler class, an instance, or a function of the settings that
    makes one."""

    def __init__(self, name: str = EXPLICIT) -> None:
        self._name = name
        self._entries: dict[str, Any] = {}

    @property
    def name(self) -> str:
        return self._name

    @property
    def priority(self) -> int:
        return 10

    def can_resolve(
        self,
        definition: HandlerDefinition,
        config: dict[str, Any] | None = None,
    ) -> bool:
        return definition.callable in self._entries

    def resolve(
        self, definition: HandlerDefinition, config: dict[str, Any] | None = None
    ) -> Any | None:
        entry = self._entries.get(definition.callable)
        # A decorated function is a handler itself.
        if inspect.isfunction(entry) and not hasattr(entry, "_handler_class"):
            return entry(config or {})
        return entry

    def register(self, key: str, handler: Any) -> None:
        self._entries[key] = handler

    def unregister(self, key: str) -> bool:
        """Whether there was one."""
        return self._entries.pop(key, None) is not None

    def get(self, key: str) -> Any | None:
        return self._entries.get(key)

    def registered_callables(self) -> list[str]:
        return list(self._entries)
