"""Publishers and subscribers among the modules of the handler packages that are imported."""

import inspect
import sys
from collections.abc import Iterable, Iterator, Sequence
from types import ModuleType

from tasker_mp.domain_events.publisher import BasePublisher
from tasker_mp.domain_events.publisher_registry import PublisherRegistry
from tasker_mp.domain_events.subscriber import BaseSubscriber
from tasker_mp.domain_events.subscriber_registry import SubscriberRegistry


def register_publishers(packages: Sequence[str]) -> list[str]:
    """Register an instance of each publisher that the packages define, unless its name is taken;
    what is wrong with those that cannot be made."""
    registry, problems = PublisherRegistry.instance(), list[str]()
    for cls in _publishers(_modules(packages)):
        if registry.knows(cls) or _wants_arguments(cls):
            continue
        try:
            publisher = cls()
            name = publisher.publisher_name
        except (Exception, SystemExit) as error:
            reason = f"{type(error).__name__}: {error}"
            problems.append(f"publisher {_path(cls)} cannot be created: {reason}")
            continue
        if (taken := registry.get(name)) is None:
            registry.register(publisher)
        else:
            problems.append(
                f"the publisher_name '{name}' of {_path(cls)} is taken by {_path(type(taken))}; "
                "rename one of them"
            )
    return problems


def subscriber_modules(packages: Sequence[str]) -> list[str]:
    """The modules that whoever wants the packages' subscribers must import."""
    modules = {module.__name__: module for module in _modules(packages)}
    defining = {cls.__module__ for cls in _subscribers(modules.values())}
    return sorted(defining | (set(SubscriberRegistry.instance().modules) & set(modules)))


def register_subscribers(modules: Iterable[ModuleType]) -> None:
    """Register the classes that these modules define and have not registered by themselves."""
    registry = SubscriberRegistry.instance()
    for cls in _subscribers(modules):
        if not (registry.knows(cls) or _wants_arguments(cls)):
            registry.register(cls)


def _modules(packages: Sequence[str]) -> list[ModuleType]:
    return [
        module
        for name, module in sorted(sys.modules.items())
        if isinstance(module, ModuleType)
        and any(name == package or name.startswith(f"{package}.") for package in packages)
    ]


def _publishers(modules: Iterable[ModuleType]) -> Iterator[type[BasePublisher]]:
    return (cls for cls in _classes(modules) if issubclass(cls, BasePublisher))


def _subscribers(modules: Iterable[ModuleType]) -> Iterator[type[BaseSubscriber]]:
    return (cls for cls in _classes(modules) if issubclass(cls, BaseSubscriber))


def _classes(modules: Iterable[ModuleType]) -> Iterator[type]:
    """The public concrete classes, each in the module that defines it."""
    for module in modules:
        for name, cls in sorted(vars(module).items()):
            if (
                inspect.isclass(cls)
                and cls.__module__ == module.__name__
                and not (inspect.isabstract(cls) or name.startswith("_"))
            ):
                yield cls


def _wants_arguments(cls: type) -> bool:
    """Then it is made, and registered, by who knows them."""
    try:
        parameters = inspect.signature(cls).parameters.values()
    except (TypeError, ValueError):
        return False
    several = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return any(p.default is p.empty and p.kind not in several for p in parameters)


def _path(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"
