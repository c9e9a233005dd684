import pytest
from stepping import run, value_of

from tasker_mp import HandlerRegistry, StepHandler
from tasker_mp.errors import HandlerLoadError
from tasker_mp.models import HandlerWrapper
from tasker_mp.registry import (
    BaseResolver,
    HandlerDefinition,
    MethodDispatchWrapper,
    RegistryResolver,
    ResolutionError,
    ResolverChain,
    ResolverNotFoundError,
)
from tasker_mp.step_handler import step_handler
from tasker_mp.template import model

PAYMENTS = r"""
from tasker_mp import StepHandler
from tasker_mp.registry import RegistryResolver
from tasker_mp.step_handler import step_handler

class Charge(StepHandler):
    def call(self, context):
        return {"charged": self.config.get("amount")}

    def refund(self, context):
        return {"refunded": 1}

@step_handler("receipt")
def receipt():
    return {"sent": True}

KEPT = Charge()

class Payments(RegistryResolver):
    _name = "payments"
    pattern = r"^payments:(?P<what>\w+)$"

    def resolve_handler(self, definition, config):
        what = self._match_pattern(definition.callable)["what"]
        if what == "raises":
            raise KeyError("no such provider")
        return {"charge": Charge, "kept": KEPT, "receipt": receipt, "text": "text"}.get(what)

class Taken(RegistryResolver):
    _name = "taken"
    _priority = 20
    prefix = "taken:"

    def resolve_handler(self, definition, config):
        return receipt
"""


@pytest.fixture
def package(written):
    return written({"payments.py": PAYMENTS})


@pytest.fixture
def registry(package):
    return HandlerRegistry([package])


def asked(name, **more):
    return model.HandlerDefinition(name, **more)


def test_a_packages_own_resolver_is_found_and_asked(registry):
    assert value_of(run(registry.resolve(asked("payments:charge")))) == {"charged": None}
    assert value_of(run(registry.resolve(asked("payments:receipt")))) == {"sent": True}
    assert value_of(run(registry.resolve(asked("taken:x")))) == {"sent": True}
    assert registry.resolver_chain.list_resolvers() == [
        ("explicit_mapping", 10),
        ("taken", 20),
        ("payments", 50),
        ("class_lookup", 100),
    ]


def test_a_class_is_made_once_for_each_initialization_an_instance_never(registry):
    first = registry.resolve(asked("payments:charge", initialization={"amount": 5}))
    assert value_of(run(first)) == {"charged": 5}
    assert registry.resolve(asked("payments:charge", initialization={"amount": 5})) is first
    kept = registry.resolve(asked("payments:kept", initialization={"amount": 5}))
    assert kept is registry.resolve(asked("payments:kept"))


def test_another_method_may_be_named(registry):
    handler = registry.resolve(asked("payments:charge", method="refund"))
    assert value_of(run(handler, method="refund")) == {"refunded": 1}
    with pytest.raises(HandlerLoadError, match="has no method refnd of its own; did you mean"):
        registry.resolve(asked("payments:charge", method="refnd"))


def test_a_resolver_that_fails_says_so_and_disturbs_nothing(registry):
    with pytest.raises(
        ResolutionError,
        match=r"payments:raises: the resolver 'payments' failed: KeyError: 'no such provider'",
    ):
        registry.resolve(asked("payments:raises"))
    with pytest.raises(ResolutionError, match=r"payments:text: a resolver returned 'text', not a"):
        registry.resolve(asked("payments:text"))
    assert registry.handler_available("payments:charge")


def test_what_no_resolver_knows_is_refused(registry):
    with pytest.raises(HandlerLoadError, match=r"no handler in .* 'payments:unknown'"):
        registry.resolve(asked("payments:unknown"))


def test_a_template_may_choose_one_resolver(registry, package):
    path = f"{package}.payments.Charge"
    assert registry.resolve(asked(path, resolver="class_lookup"))
    assert registry.resolve(asked("receipt", resolver="explicit_mapping"))
    # Asked for what it would not take for its own.
    assert value_of(run(registry.resolve(asked(path, resolver="taken")))) == {"sent": True}
    with pytest.raises(HandlerLoadError, match="the resolver 'explicit_mapping' knows no handler"):
        registry.resolve(asked(path, resolver="explicit_mapping"))
    with pytest.raises(ResolverNotFoundError, match="is named 'payment'; did you mean 'payments'"):
        registry.resolve(asked("payments:charge", resolver="payment"))


def test_resolvers_open_no_way_out_of_the_packages(registry):
    for name in ("os.system", "subprocess.Popen"):
        for resolver in (None, "class_lookup"):
            with pytest.raises(HandlerLoadError, match="outside the handler packages"):
                registry.resolve(asked(name, resolver=resolver))


def test_a_resolver_imported_from_elsewhere_is_not_asked(written):
    other = written({"payments.py": PAYMENTS})
    package = written({"a.py": f"from {other}.payments import Payments\n"})
    registry = HandlerRegistry([package])
    assert not registry.handler_available("payments:charge")


def test_code_may_add_a_resolver_and_names_come_first(registry):
    class Everything(RegistryResolver):
        _name = "everything"
        prefix = "p"

        def resolve_handler(self, definition, config):
            return Mine

    class Mine(StepHandler):
        def call(self, context):
            return {"mine": True}

    class Other(Mine):
        def call(self, context):
            return {"other": True}

    registry.resolver_chain.add_resolver(Everything())
    assert type(registry.resolve("pay")) is Mine
    registry.register("pay", Other)
    assert type(registry.resolve("pay")) is Other
    assert registry.unregister("pay")
    assert not registry.unregister("pay")
    assert type(registry.resolve("pay")) is Mine
    registry.resolver_chain.remove_resolver("everything")
    assert not registry.handler_available("pay")


def test_a_later_resolver_may_know_what_the_paths_do_not(registry):
    class Last(RegistryResolver):
        _name = "last"
        _priority = 200
        pattern = r".*\.Late$"

        def resolve_handler(self, definition, config):
            return step_handler("late")(lambda: {"late": True})

    registry.resolver_chain.add_resolver(Last())
    assert value_of(run(registry.resolve("somewhere.Late"))) == {"late": True}


def test_broken_resolvers_are_reported_and_stop_no_other(written):
    broken = """
from tasker_mp.registry import RegistryResolver
class A(RegistryResolver):
    def __init__(self):
        raise ValueError("no key")
class B(RegistryResolver):
    _name = "class_lookup"
class _Hidden(RegistryResolver):
    _name = "hidden"
"""
    package = written({"broken.py": broken, "payments.py": PAYMENTS})
    registry = HandlerRegistry([package])
    with pytest.raises(HandlerLoadError) as caught:
        registry.discover_handlers(package)
    assert f"the resolver {package}.broken.A cannot be created: ValueError: no key" in str(
        caught.value
    )
    assert "the resolver name 'class_lookup'" in str(caught.value)
    assert registry.handler_available("payments:charge")
    assert "hidden" not in registry.resolver_chain.resolver_names


def test_authors_definitions_give_a_handler_whose_call_is_the_method(registry):
    refund = HandlerDefinition("payments:charge", handler_method="refund")
    wrapped = registry.resolve(refund)
    assert isinstance(wrapped, MethodDispatchWrapper)
    assert wrapped.call(None) == {"refunded": 1}
    assert wrapped.unwrap() is wrapped.handler is registry.resolve("payments:charge")
    assert (wrapped.target_method, wrapped.name) == ("refund", "Charge")
    wrapper = HandlerWrapper.from_dict({"callable": "payments:charge", "method": "refund"})
    assert registry.resolve(wrapper).call(None) == {"refunded": 1}
    plain = HandlerDefinition.from_dict({"callable": "payments:charge", "method": "call"})
    assert registry.resolve(plain) is wrapped.handler
    with pytest.raises(AttributeError, match="Charge has no method 'nothing'"):
        MethodDispatchWrapper(wrapped.handler, "nothing")


def test_a_chain_by_itself():
    class Shout(StepHandler):
        def call(self, context):
            return "!"

        def whisper(self, context):
            return "."

    class Custom(BaseResolver):
        name = "custom"
        priority = 5

        def can_resolve(self, definition, config=None):
            return definition.callable == "custom"

        def resolve(self, definition, config=None):
            return Shout()

    chain = ResolverChain.default().add_resolver(Custom()).register("shout", Shout)
    chain.register("made", lambda config: Shout())
    chain.register("function", step_handler("function")(lambda: {"f": 1}))
    assert chain.resolver_names == ["custom", "explicit_mapping", "class_lookup"]
    assert len(chain) == 3
    for name in ("custom", "shout", "made"):
        assert chain.resolve(HandlerDefinition(name)).call(None) == "!"
    assert chain.resolve(HandlerDefinition("function")).call(None).result == {"f": 1}
    soft = HandlerDefinition("shout", handler_method="whisper")
    assert chain.resolve(soft).call(None) == "."
    assert chain.resolve(HandlerDefinition("shout", handler_method="nothing")) is None
    assert chain.resolve(HandlerDefinition("unknown")) is None
    assert chain.can_resolve(HandlerDefinition("shout"))
    assert not chain.can_resolve(HandlerDefinition("shout", resolver="nobody"))
    assert set(chain.registered_callables()) == {"shout", "made", "function"}
    assert chain.chain_info()[1] == {"name": "explicit_mapping", "priority": 10, "callables": 3}
    assert chain.remove_resolver("custom").name == "custom"
    with pytest.raises(NotImplementedError, match=r"RegistryResolver\.resolve_handler"):
        RegistryResolver().resolve_handler(HandlerDefinition("x"), {})
