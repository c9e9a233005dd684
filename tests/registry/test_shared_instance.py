import logging

import pytest

from tasker_mp import HandlerRegistry, StepHandler
from tasker_mp.errors import HandlerLoadError
from tasker_mp.step_handler import step_handler

ONE = """
from tasker_mp import HandlerRegistry, StepHandler

class One(StepHandler):
    handler_name = "one"
    def call(self, context): ...

class Two(StepHandler):
    def __init__(self, config):
        self.given = config
    def call(self, context): ...

HandlerRegistry.instance().register("by_code", Two)
"""


class Mine(StepHandler):
    def call(self, context): ...


@pytest.fixture(autouse=True)
def apart():
    HandlerRegistry.reset_instance()
    yield
    HandlerRegistry.reset_instance()


@pytest.fixture
def project(written, tmp_path, monkeypatch):
    """A project whose configuration names a package written for the test."""
    package = written({"one.py": ONE, "bad.py": "import nowhere_1"})
    (tmp_path / "config").mkdir()
    text = f'[worker]\nhandler_packages = ["{package}"]\n'
    (tmp_path / "config" / "tasker.toml").write_text(text)
    monkeypatch.chdir(tmp_path)
    return package


def test_the_processes_registry_knows_the_configured_packages(project, caplog):
    with caplog.at_level(logging.WARNING):
        registry = HandlerRegistry.instance()
    assert "nowhere_1" in caplog.text
    assert HandlerRegistry.instance() is registry
    assert registry.is_registered("one")
    assert registry.get_handler_class("by_code").__name__ == "Two"
    assert registry.handler_count() == 2
    assert registry.bootstrap_handlers() == 2
    assert registry.list_handlers() == registry.registered_handlers()
    assert registry.resolve("by_code").given == {}


def test_a_registry_may_start_empty(project):
    registry = HandlerRegistry.instance(skip_bootstrap=True)
    assert registry.handler_count() == 0
    assert not registry.is_registered("one")
    HandlerRegistry.reset_instance()
    assert HandlerRegistry.instance(skip_bootstrap=True) is not registry


def test_a_workers_registry_is_the_processes(written):
    package = written({"one.py": ONE})
    registry = HandlerRegistry([package]).as_instance()
    registry.discover_handlers(package)
    assert registry.is_registered("by_code")


def test_names_are_registered_and_forgotten():
    registry = HandlerRegistry()
    registry.register("mine", Mine)
    registry.register("function", step_handler("function")(lambda: None))
    assert isinstance(registry.resolve("mine"), Mine)
    assert registry.handler_count() == 2
    with pytest.raises(HandlerLoadError, match="is a int, not a subclass of StepHandler"):
        registry.register("five", 5)
    registry.clear()
    assert registry.list_handlers() == []
    assert registry.get_handler_class("mine") is None


def test_discovery_may_be_narrowed_to_a_base_class(written):
    package = written({"one.py": ONE.rpartition("\n\n")[0]})
    registry = HandlerRegistry([package])
    assert registry.discover_handlers(package, Mine) == 0
    assert registry.discover_handlers(package, base_class=StepHandler) == 2
