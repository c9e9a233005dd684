"""The resolvers, in the order in which they are asked."""

from collections.abc import Sequence
from typing import Any, Self

from tasker_mp.errors import HandlerLoadError
from tasker_mp.nearest import suggestion
from tasker_mp.packages import HandlerPackages, one_line
from tasker_mp.registry.class_lookup import ClassLookupResolver
from tasker_mp.registry.definition import HandlerDefinition
from tasker_mp.registry.explicit_mapping import EXPLICIT, ExplicitMappingResolver
from tasker_mp.registry.method_dispatch import MethodDispatchWrapper
from tasker_mp.registry.refusals import ResolutionError, ResolverNotFoundError
from tasker_mp.registry.resolver import BaseResolver


class ResolverChain:
    """Asks resolvers by priority, the lowest first, until one knows; or only the one that the
    definition names."""

    def __init__(self) -> None:
        self._resolvers: dict[str, BaseResolver] = {}

    @classmethod
    def default(cls, packages: HandlerPackages | Sequence[str] = ()) -> Self:
        """Registered names, then dotted paths in `packages`."""
        chain = cls()
        chain.add_resolver(ExplicitMappingResolver())
        return chain.add_resolver(ClassLookupResolver(packages))

    def add_resolver(self, resolver: BaseResolver) -> Self:
        """Ask `resolver` too; it replaces one of the same name."""
        found = {**self._resolvers, resolver.name: resolver}
        self._resolvers = dict(sorted(found.items(), key=lambda item: item[1].priority))
        return self

    def remove_resolver(self, name: str) -> BaseResolver | None:
        return self._resolvers.pop(name, None)

    def get_resolver(self, name: str) -> BaseResolver | None:
        return self._resolvers.get(name)

    @property
    def explicit_resolver(self) -> BaseResolver | None:
        return self.get_resolver(EXPLICIT)

    @property
    def resolver_names(self) -> list[str]:
        return list(self._resolvers)

    def list_resolvers(self) -> list[tuple[str, int]]:
        """Names and priorities, the first asked first."""
        return [(name, resolver.priority) for name, resolver in self._resolvers.items()]

    def chain_info(self) -> list[dict[str, Any]]:
        return [
            {"name": name, "priority": r.priority, "callables": len(r.registered_callables())}
            for name, r in self._resolvers.items()
        ]

    def registered_callables(self) -> list[str]:
        known = (name for r in self._resolvers.values() for name in r.registered_callables())
        return list(dict.fromkeys(known))

    def __len__(self) -> int:
        return len(self._resolvers)

    def register(self, key: str, handler: Any) -> Self:
        explicit = self.explicit_resolver
        if not isinstance(explicit, ExplicitMappingResolver):
            raise RuntimeError(f"the chain has no resolver {EXPLICIT}")
        explicit.register(key, handler)
        return self

    def can_resolve(
        self, definition: HandlerDefinition, config: dict[str, Any] | None = None
    ) -> bool:
        """Whether one of the resolvers to ask takes the definition for its own."""
        hinted = definition.has_resolver_hint()
        if hinted and definition.resolver not in self._resolvers:
            return False
        return any(r.can_resolve(definition, config or {}) for r in self._asked(definition))

    def resolve(
        self, definition: HandlerDefinition, config: dict[str, Any] | None = None
    ) -> Any | None:
        """What `find` finds, made an instance where it is a class or a decorated function, and
        wrapped where the definition names a method."""
        found = self.find(definition, config)
        found = getattr(found, "_handler_class", found)
        handler = found() if isinstance(found, type) else found
        return None if handler is None else self.wrap_for_method_dispatch(handler, definition)

    def find(
        self, definition: HandlerDefinition, config: dict[str, Any] | None = None
    ) -> Any | None:
        """What the first resolver that knows returns; None where none does.

        Raises `ResolverNotFoundError`, `ResolutionError` where a resolver raises, and, where no
        later one finds the handler, the `HandlerLoadError` of a resolver that knows why not.
        """
        refusal = None
        for resolver in self._asked(definition):
            try:
                found = self._answer(resolver, definition, config or {})
            except HandlerLoadError as error:
                refusal = refusal or error
            except (Exception, SystemExit) as error:
                raise ResolutionError(
                    f"{definition.callable}: the resolver '{resolver.name}' failed: "
                    f"{one_line(error)}"
                ) from error
            else:
                if found is not None:
                    return found
        if refusal:
            raise refusal
        return None

    def wrap_for_method_dispatch(self, handler: Any, definition: HandlerDefinition) -> Any | None:
        """None where the handler has no such method."""
        if not definition.uses_method_dispatch():
            return handler
        method = definition.effective_method()
        return MethodDispatchWrapper(handler, method) if hasattr(handler, method) else None

    def _asked(self, definition: HandlerDefinition) -> list[BaseResolver]:
        if not definition.has_resolver_hint():
            return list(self._resolvers.values())
        name = definition.resolver or ""
        if name not in self._resolvers:
            raise ResolverNotFoundError(
                f"{definition.callable}: no resolver is named '{name}'; "
                f"{suggestion(name, self.resolver_names)}"
            )
        return [self._resolvers[name]]

    @staticmethod
    def _answer(
        resolver: BaseResolver, definition: HandlerDefinition, config: dict[str, Any]
    ) -> Any | None:
        # One that is named is asked whatever it takes for its own.
        if definition.has_resolver_hint() or resolver.can_resolve(definition, config):
            return resolver.resolve(definition, config)
        return None
