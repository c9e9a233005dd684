"""The registry: what templates may name, and the handler that each name means."""

import inspect
import logging
import sys
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Self

from msgspec import Struct

from tasker_mp.errors import HandlerLoadError
from tasker_mp.handler import StepHandler
from tasker_mp.nearest import suggestion
from tasker_mp.packages import HandlerClass, HandlerPackages, class_behind, require_handler
from tasker_mp.registry.chain import ResolverChain
from tasker_mp.registry.class_lookup import ClassLookupResolver
from tasker_mp.registry.definition import HandlerDefinition, Specification, definition_of
from tasker_mp.registry.discovery import Discovery, tell_registered
from tasker_mp.registry.explicit_mapping import ExplicitMappingResolver
from tasker_mp.registry.instances import Instances, fingerprint, require_method
from tasker_mp.registry.method_dispatch import MethodDispatchWrapper
from tasker_mp.registry.refusals import ResolutionError
from tasker_mp.template import model
from tasker_mp.template.model import Template


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
    """Handlers by registered name, by a resolver of the packages' own, and by dotted path.

    `packages` are the only ones whose code a callable may name. The folder that holds them must
    be on `sys.path`. Every refusal is a `HandlerLoadError`.
    """

    _shared: ClassVar["HandlerRegistry | None"] = None

    def __init__(self, packages: Sequence[str] = ()) -> None:
        self._packages = HandlerPackages(packages)
        self.clear()

    # -- The process's own ------------------------------------------------------------------------

    @classmethod
    def instance(cls, skip_bootstrap: bool = False) -> "HandlerRegistry":
        """The process's registry: a worker's own in its handlers, or else one of the packages that
        the configuration names, with their handlers unless `skip_bootstrap`."""
        if cls._shared is None:
            cls._shared = cls(_configured_packages())
            if not skip_bootstrap:
                cls._shared.bootstrap_handlers()
        return cls._shared

    @classmethod
    def reset_instance(cls) -> None:
        """Forget the process's registry, as tests want between each other."""
        cls._shared = None

    def as_instance(self) -> Self:
        """Be what `instance` returns in this process."""
        HandlerRegistry._shared = self
        return self

    # -- Names ------------------------------------------------------------------------------------

    def register(self, name: str, handler_class: Any) -> None:
        """Let templates name a handler class, or a decorated function, as `name`; replaces what the
        name meant before."""
        cls = require_handler(name, class_behind(handler_class))
        self._explicit.register(name, cls)
        self._resolved.clear()
        tell_registered(name, cls)

    def unregister(self, name: str) -> bool:
        """Forget a name; whether it was known."""
        self._resolved.clear()
        return self._explicit.unregister(name)

    def clear(self) -> None:
        """Forget every name, resolver and instance; packages are discovered again when asked."""
        self._explicit = ExplicitMappingResolver()
        self._lookup = ClassLookupResolver(self._packages)
        self._chain = ResolverChain().add_resolver(self._explicit).add_resolver(self._lookup)
        self._discovery = Discovery(self._packages, self._chain, self._explicit, self._lookup)
        self._instances = Instances()
        self._resolved: dict[tuple[str, str, str | None, bytes], StepHandler] = {}

    def is_registered(self, name: str) -> bool:
        """Whether `name` is known without a look at the packages."""
        return self.get_handler_class(name) is not None

    def get_handler_class(self, name: str) -> HandlerClass | None:
        found: HandlerClass | None = self._explicit.get(name) or self._lookup.get(name)
        return found

    def registered_handlers(self) -> list[str]:
        """Every known name and dotted path, sorted."""
        names = self._explicit.registered_callables()
        return sorted({*names, *self._lookup.registered_callables()})

    def list_handlers(self) -> list[str]:
        """The same as `registered_handlers`."""
        return self.registered_handlers()

    def handler_count(self) -> int:
        """How many handler classes have names or known paths."""
        return len({self.get_handler_class(name) for name in self.registered_handlers()})

    @property
    def resolver_chain(self) -> ResolverChain:
        """The resolvers; one that is added is asked from now on."""
        # Whatever changes in it, what was resolved before may be another's now.
        self._resolved.clear()
        return self._chain

    # -- Discovery --------------------------------------------------------------------------------

    def discover_handlers(
        self, package_name: str, base_class: type[StepHandler] = StepHandler
    ) -> int:
        """Import every module of the package; its handlers of `base_class` are known by dotted path
        and name from then on, and its resolvers asked.

        Returns how many handlers there are. What cannot be loaded does not stop the rest: it is
        raised at the end, all in one `HandlerLoadError`.
        """
        count = self._discovery.discover(package_name, base_class)
        self._resolved.clear()
        problems = self._discovery.problems(package_name)
        if problems:
            raise HandlerLoadError("; ".join(problems))
        return count

    def bootstrap_handlers(self) -> int:
        """Discover the handlers of all packages, once; what cannot be loaded is logged.

        Returns how many handlers there are.
        """
        self._discover_remaining(logging.getLogger(__name__).warning)
        return self.handler_count()

    def _discover_remaining(self, report: Any = None) -> None:
        for package in self._discovery.remaining():
            try:
                self.discover_handlers(package)
            except HandlerLoadError as error:
                if report:
                    report(str(error))

    # -- Resolution -------------------------------------------------------------------------------

    def handler_available(self, name: str) -> bool:
        """Whether `name` (a name or a dotted path) resolves."""
        return self._problem_of(name) is None

    def resolve(self, handler_spec: Specification) -> Any:
        """The handler that a name, a dotted path or a definition means.

        The same class and `initialization` give the same instance; `config` is set to the latter
        before the instance's `__init__` runs. A template's definition, whose `method` the caller
        runs, gives the handler itself; any other that names a method gives a
        `MethodDispatchWrapper`.
        """
        asked = definition_of(handler_spec)
        method = asked.effective_method()
        key = (asked.callable, method, asked.resolver, fingerprint(asked.initialization))
        handler = self._resolved.get(key)
        if handler is None:
            handler = self._resolved[key] = self._found(asked)
        if asked.uses_method_dispatch() and not isinstance(handler_spec, model.HandlerDefinition):
            return MethodDispatchWrapper(handler, method)
        return handler

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

    def _problem_of(self, handler_spec: Specification) -> str | None:
        try:
            self.resolve(handler_spec)
        except HandlerLoadError as error:
            return str(error)
        return None

    def _found(self, definition: HandlerDefinition) -> StepHandler:
        # A resolver of the packages may know any callable, and comes before the dotted paths.
        if definition.has_resolver_hint() or not self._explicit.can_resolve(definition):
            self._discover_remaining()
        found = class_behind(self._chain.find(definition))
        if found is None:
            raise HandlerLoadError(self._unknown(definition))
        if isinstance(found, StepHandler):
            require_method(type(found), definition)
            return found
        if not (inspect.isclass(found) and issubclass(found, StepHandler)):
            raise ResolutionError(
                f"{definition.callable}: a resolver returned {found!r:.80}, not a StepHandler or a "
                "class of them"
            )
        require_method(found, definition)
        return self._instances.of(found, definition)

    def _unknown(self, definition: HandlerDefinition) -> str:
        name = definition.callable
        if definition.has_resolver_hint():
            return f"{name}: the resolver '{definition.resolver}' knows no handler of this name"
        # A template may name the class without its module.
        known = self.registered_handlers()
        same_class = [path for path in known if path.endswith(f".{name}")]
        names = [known_name for known_name in known if "." not in known_name]
        cure = f"did you mean '{same_class[0]}'?" if same_class else suggestion(name, names)
        broken = "; ".join(self._discovery.problems())
        note = f" (not loaded: {broken})" if broken else ""
        return f"no handler in {self._packages} has the handler_name '{name}'; {cure}{note}"


def _configured_packages() -> Sequence[str]:
    from tasker_mp.config import load_config  # noqa: PLC0415  a worker never needs it

    config = load_config()
    if str(config.root) not in sys.path:
        sys.path.insert(0, str(config.root))
    return config.worker.handler_packages
