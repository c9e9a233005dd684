import pytest
from stepping import run, value_of

from tasker_mp import HandlerRegistry
from tasker_mp.errors import HandlerLoadError
from tasker_mp.template.model import HandlerDefinition

ORDERS = """
from tasker_mp.step_handler import step_handler, api_handler, inputs

@step_handler("process_payment")
def pay():
    return {"paid": True}

@step_handler("later")
async def later():
    return {"later": True}

@api_handler("fetch", base_url="http://localhost")
def fetch(api):
    return {"asked": True}

def plain():
    return 1
"""


@pytest.fixture
def package(written):
    return written({"orders.py": ORDERS, "__init__.py": "from .orders import pay\n"})


def test_a_function_is_found_by_name_and_by_path(package):
    registry = HandlerRegistry([package])
    assert registry.discover_handlers(package) == 3
    assert registry.registered_handlers() == sorted(
        ["process_payment", "later", "fetch"]
        + [f"{package}.orders.{name}" for name in ("pay", "later", "fetch")]
    )
    by_name = registry.resolve("process_payment")
    assert value_of(run(by_name)) == {"paid": True}
    assert registry.resolve(f"{package}.orders.pay") is by_name
    assert registry.resolve(f"{package}.pay") is by_name
    assert value_of(run(registry.resolve("later"))) == {"later": True}


def test_a_function_that_is_no_handler_is_refused(package):
    with pytest.raises(HandlerLoadError, match=r"plain is a function, not a subclass .* decorated"):
        HandlerRegistry([package]).resolve(f"{package}.orders.plain")


def test_the_engines_own_methods_are_no_steps(package):
    registry = HandlerRegistry([package])
    for method in ("get", "api_success", "close"):
        with pytest.raises(HandlerLoadError, match=f"has no method {method} of its own"):
            registry.resolve(HandlerDefinition("fetch", method=method))


def test_a_function_that_cannot_be_called_is_reported_at_the_start(written):
    text = """
from tasker_mp.step_handler import step_handler, inputs
@step_handler("lost")
@inputs("amount")
def lost(amount, note): ...
"""
    registry = HandlerRegistry([written({"a.py": text})])
    with pytest.raises(HandlerLoadError, match=r"lost cannot be created: .* its parameter note"):
        registry.resolve("lost")


def test_a_function_of_another_package_is_refused_where_it_was_imported(written, package):
    other = written({"b.py": f"from {package}.orders import pay\n"})
    with pytest.raises(HandlerLoadError, match=rf"is defined in {package}\.orders, outside"):
        HandlerRegistry([other]).resolve(f"{other}.b.pay")
