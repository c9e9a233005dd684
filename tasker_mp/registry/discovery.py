"""What the handler packages hold: their handlers, by path and name, and their own resolvers."""

import inspect
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from tasker_mp.event_bridge import EventBridge, EventNames
from tasker_mp.handler import StepHandler
from tasker_mp.packages import HandlerClass, HandlerPackages, handlers_of, one_line
from tasker_mp.registry.chain import ResolverChain
from tasker_mp.registry.class_lookup import ClassLookupResolver
from tasker_mp.registry.explicit_mapping import ExplicitMappingResolver
from tasker_mp.registry.resolver import BaseResolver


class Discovery:
    """Tells `explicit` the handlers' names, `lookup` their paths, `chain` the resolvers."""

    def __init__(
        self,
        packages: HandlerPackages,
        chain: ResolverChain,
        explicit: ExplicitMappingResolver,
        lookup: ClassLookupResolver,
    ) -> None:
        self._packages = packages
        self._chain = chain
        self._explicit = explicit
        self._lookup = lookup
        self._problems: dict[str, list[str]] = {}

    def discover(self, package: str, base_class: type[StepHandler]) -> int:
        """Import every module of `package`; returns how many handlers of `base_class` it has.

        What cannot be loaded does not stop the rest: it is in `problems` then.
        """
        self._packages.require(package)
        # Noted first: a module of it may ask the registry for a handler while it is imported.
        problems = self._problems[package] = []
        count = 0
        for module in self._packages.modules(package, problems.append):
            self._add_resolvers(module, problems)
            for cls in handlers_of(module):
                if issubclass(cls, base_class):
                    count += 1
                    self._lookup.note(path_of(cls), cls)
                    self._register_name(cls, problems)
                    tell_registered(vars(cls).get("handler_name") or path_of(cls), cls)
        return count

    def remaining(self) -> Iterator[str]:
        """The packages that were not discovered yet."""
        for package in self._packages.names:
            if package not in self._problems:
                yield package

    def problems(self, package: str | None = None) -> list[str]:
        """What could not be loaded, one line each; of all packages unless one is named."""
        if package is not None:
            return self._problems.get(package, [])
        return [line for lines in self._problems.values() for line in lines]

    def _register_name(self, cls: HandlerClass, problems: list[str]) -> None:
        name = vars(cls).get("handler_name")  # its own: one that it inherits names the parent
        if not name:
            return
        taken = self._explicit.get(name)
        if taken is None:
            self._explicit.register(name, cls)
        elif taken is not cls:
            problems.append(
                f"the handler_name '{name}' of {path_of(cls)} is taken by {path_of(taken)}; "
                "rename one of them"
            )

    def _add_resolvers(self, module: ModuleType, problems: list[str]) -> None:
        for cls in _resolvers_of(module):
            try:
                resolver = cls()
                taken = self._chain.get_resolver(resolver.name)
            except (Exception, SystemExit) as error:
                problems.append(f"the resolver {path_of(cls)} cannot be created: {one_line(error)}")
                continue
            if taken is None:
                self._chain.add_resolver(resolver)
            elif type(taken) is not cls:
                problems.append(
                    f"the resolver name '{resolver.name}' of {path_of(cls)} is taken by "
                    f"{path_of(taken)}; give it another _name"
                )


def _resolvers_of(module: ModuleType) -> list[type[BaseResolver]]:
    """The resolvers that the module itself defines, in the order of their names."""
    return [
        cls
        for name, cls in sorted(vars(module).items())
        if inspect.isclass(cls)
        and issubclass(cls, BaseResolver)
        and cls.__module__ == module.__name__
        and not (inspect.isabstract(cls) or name.startswith("_"))
    ]


def tell_registered(name: str, cls: HandlerClass) -> None:
    """Put it on the bus, where somebody listens."""
    bridge = EventBridge.instance()
    if bridge.wants(EventNames.HANDLER_REGISTERED):
        bridge.publish(EventNames.HANDLER_REGISTERED, name, cls)


def path_of(value: Any) -> str:
    """The dotted path of a class, or of an instance's class."""
    cls = value if inspect.isclass(value) else type(value)
    return f"{cls.__module__}.{cls.__qualname__}"
