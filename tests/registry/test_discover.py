import pytest

from tasker_mp import HandlerRegistry
from tasker_mp.errors import HandlerLoadError
from tasker_mp.template.model import HandlerDefinition, StepDefinition, Template

ONE = """
from abc import ABC, abstractmethod
from tasker_mp import StepHandler

class Base(StepHandler, ABC):
    @abstractmethod
    def part(self): ...

class _Hidden(StepHandler):
    def call(self, context): ...

class One(StepHandler):
    handler_name = "one"
    def call(self, context): ...

class OneMore(One):
    pass

Alias = One
"""


def test_every_handler_is_found_once_by_path_and_name(written):
    package = written({"one.py": ONE, "deep/__init__.py": "", "deep/er.py": ONE})
    registry = HandlerRegistry([package])
    with pytest.raises(HandlerLoadError, match="handler_name 'one'"):
        registry.discover_handlers(package)
    assert registry.registered_handlers() == sorted(
        [
            "one",
            f"{package}.one.One",
            f"{package}.one.OneMore",
            f"{package}.deep.er.One",
            f"{package}.deep.er.OneMore",
        ]
    )


def test_the_count_is_that_of_the_classes(written):
    package = written({"one.py": ONE})
    assert HandlerRegistry([package]).discover_handlers(package) == 2


def test_a_handler_imported_by_another_module_is_not_found_there(written):
    package = written({"one.py": ONE, "two.py": "from .one import One\n"})
    registry = HandlerRegistry([package])
    assert registry.discover_handlers(package) == 2
    assert f"{package}.two.One" not in registry.registered_handlers()


def test_two_handlers_of_one_name_are_reported_and_the_first_kept(written):
    package = written({"a.py": ONE, "b.py": ONE})
    registry = HandlerRegistry([package])
    with pytest.raises(HandlerLoadError, match=rf"of {package}\.b\.One is taken by {package}\.a\."):
        registry.discover_handlers(package)
    assert type(registry.resolve("one")).__module__ == f"{package}.a"


def test_broken_modules_are_all_named_and_stop_no_other(written):
    package = written({"a.py": "import nowhere_1", "b.py": "1 / 0", "one.py": ONE})
    registry = HandlerRegistry([package])
    with pytest.raises(HandlerLoadError) as caught:
        registry.discover_handlers(package)
    assert "nowhere_1" in str(caught.value)
    assert "ZeroDivisionError" in str(caught.value)
    assert registry.handler_available("one")


def test_an_unknown_name_says_which_modules_were_not_loaded(written):
    package = written({"a.py": "import nowhere_1"})
    with pytest.raises(HandlerLoadError, match=r"\(not loaded: .*nowhere_1"):
        HandlerRegistry([package]).resolve("one")


def test_a_program_in_the_package_is_not_run(written):
    package = written({"__main__.py": "raise AssertionError", "one.py": ONE})
    assert HandlerRegistry([package]).discover_handlers(package) == 2


def test_a_missing_package_is_reported(written):
    with pytest.raises(HandlerLoadError, match="there is no module made_nowhere"):
        HandlerRegistry(["made_nowhere"]).discover_handlers("made_nowhere")


def template(*handlers):
    steps = tuple(StepDefinition(f"s{i}", handler) for i, handler in enumerate(handlers))
    return Template("space", "flow", "1.0.0", steps)


def test_check_says_of_every_callable_whether_it_resolves(written):
    package = written({"one.py": ONE})
    registry = HandlerRegistry([package])
    checks = registry.check(
        [
            template(
                HandlerDefinition("one"),
                HandlerDefinition(f"{package}.one.Two"),
                HandlerDefinition("os.system"),
                HandlerDefinition("one", method="calls"),
            )
        ]
    )
    assert [(c.template, c.step, c.callable, c.method) for c in checks] == [
        ("space/flow@1.0.0", "s0", "one", "call"),
        ("space/flow@1.0.0", "s1", f"{package}.one.Two", "call"),
        ("space/flow@1.0.0", "s2", "os.system", "call"),
        ("space/flow@1.0.0", "s3", "one", "calls"),
    ]
    assert [c.problem is None for c in checks] == [True, False, False, False]
    assert "outside the handler packages" in checks[2].problem
    assert "did you mean 'call'" in checks[3].problem


def test_problems_are_those_that_do_not_resolve(written):
    package = written({"one.py": ONE})
    registry = HandlerRegistry([package])
    flow = template(HandlerDefinition("one"), HandlerDefinition("two"))
    assert [problem.step for problem in registry.problems_of([flow])] == ["s1"]
