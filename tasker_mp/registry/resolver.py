"""What every resolver is, and the class that authors extend for one of their own."""

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from tasker_mp.registry.definition import HandlerDefinition


class BaseResolver(ABC):
    """Says which handler a definition means, or None where it does not know."""

    @property
    @abstractmethod
    def name(self) -> str:
        """What templates write as `handler.resolver`."""

    @property
    @abstractmethod
    def priority(self) -> int:
        """The lowest is asked first: registered names have 10, dotted paths 100."""

    @abstractmethod
    def can_resolve(
        self, definition: HandlerDefinition, config: dict[str, Any] | None = None
    ) -> bool:
        """Whether it is worth asking; not consulted where a template names the resolver."""

    @abstractmethod
    def resolve(
        self, definition: HandlerDefinition, config: dict[str, Any] | None = None
    ) -> Any | None:
        """A `StepHandler` class (made once for each `initialization`), an instance, a decorated
        function, or None."""

    def registered_callables(self) -> list[str]:
        return []


class RegistryResolver(BaseResolver):
    """Extend it in a handler package: it is found there, made once and asked.

    `pattern` (a regular expression, matched at the beginning) or `prefix` says which callables
    are its own. It runs where the templates' handlers are loaded: keep it quick, without I/O.

        class Payments(RegistryResolver):
            _name = "payments"
            pattern = r"payments:(?P<provider>[a-z]+)$"

            def resolve_handler(self, definition, config):
                match = self._match_pattern(definition.callable)
                return PROVIDERS.get(match["provider"])
    """

    _name: ClassVar[str] = "custom_resolver"
    _priority: ClassVar[int] = 50
    pattern: ClassVar[str | None] = None
    prefix: ClassVar[str | None] = None

    @property
    def name(self) -> str:
        return self._name

    @property
    def priority(self) -> int:
        return self._priority

    def can_resolve(
        self,
        definition: HandlerDefinition,
        config: dict[str, Any] | None = None,
    ) -> bool:
        if self.pattern:
            return self._match_pattern(definition.callable) is not None
        return bool(self.prefix) and definition.callable.startswith(self.prefix or "")

    def resolve(
        self, definition: HandlerDefinition, config: dict[str, Any] | None = None
    ) -> Any | None:
        return self.resolve_handler(definition, config or {})

    def resolve_handler(self, definition: HandlerDefinition, config: Mapping[str, Any]) -> Any:
        """The author's own: see `BaseResolver.resolve`."""
        raise NotImplementedError(f"{type(self).__name__}.resolve_handler() must be implemented")

    def _match_pattern(self, callable_str: str) -> re.Match[str] | None:
        return re.match(self.pattern, callable_str) if self.pattern else None
