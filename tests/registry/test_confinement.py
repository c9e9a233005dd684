"""A template is data: what it names must lie in the handler packages, or is never imported."""

import sys

import pytest

from tasker_mp import HandlerRegistry
from tasker_mp.errors import HandlerLoadError

HANDLER = """
from tasker_mp import StepHandler
class A(StepHandler):
    def call(self, context): ...
"""


@pytest.mark.parametrize(
    "path",
    [
        "os.system",
        "antigravity.A",
        "handlers_evil.A",
        "handlers.",
        ".handlers.A",
        "handlers..linear.A",
        "handlers.linear-x.A",
        "handlers/linear.A",
        "handlers. os.A",
        "\uff48andlers.linear.LinearStep1Handler",
        "tasker_mp.handler.StepHandler",
    ],
)
def test_paths_outside_the_packages_are_refused_before_any_import(path):
    registry = HandlerRegistry(["handlers"])
    registry.discover_handlers("handlers")
    before = set(sys.modules)
    with pytest.raises(HandlerLoadError, match=r"is outside the handler packages \(handlers\)"):
        registry.resolve(path)
    assert set(sys.modules) == before


def test_a_package_whose_name_only_starts_alike_is_another(written):
    package = written({"a.py": HANDLER})
    evil = written({"a.py": HANDLER})
    registry = HandlerRegistry([package])
    with pytest.raises(HandlerLoadError, match="is outside"):
        registry.resolve(f"{evil}.a.A")
    assert f"{evil}.a" not in sys.modules


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("a.os", "is a module, not a subclass"),
        ("a.os.path", "there is no module"),
        ("a.os.system", "there is no module"),
        ("a.system", "is a builtin_function_or_method, not a subclass"),
        ("a.Popen", "is another class, not a subclass"),
        ("a.StepHandler", "is another class, not a subclass"),
        ("a.instance", "is a A, not a subclass"),
        ("a.__builtins__", "is a dict, not a subclass"),
        ("a.__builtins__.eval", "there is no module"),
        ("a.A.call", "there is no module"),
        ("a.missing", "has no missing"),
    ],
)
def test_nothing_but_a_handler_is_reached_through_a_module(written, path, reason):
    package = written(
        {
            "a.py": f"import os\nfrom os import system\nfrom subprocess import Popen\n{HANDLER}\n"
            "instance = A()\n"
        }
    )
    with pytest.raises(HandlerLoadError, match=reason):
        HandlerRegistry([package]).resolve(f"{package}.{path}")


def test_a_handler_defined_elsewhere_is_refused_where_it_was_imported(written):
    library = written({"a.py": HANDLER})
    package = written({"b.py": f"from {library}.a import A\n"})
    with pytest.raises(HandlerLoadError, match=rf"is defined in {library}\.a, outside"):
        HandlerRegistry([package]).resolve(f"{package}.b.A")
    assert HandlerRegistry([package, library]).resolve(f"{package}.b.A")


def test_a_handler_may_be_exported_by_its_package(written):
    package = written({"inner/__init__.py": "from .a import A\n", "inner/a.py": HANDLER})
    assert HandlerRegistry([package]).resolve(f"{package}.inner.A")


def test_only_the_configured_packages_are_discovered(written):
    other = written({"a.py": HANDLER})
    registry = HandlerRegistry([written({})])
    with pytest.raises(HandlerLoadError, match="is outside"):
        registry.discover_handlers(other)
    assert other not in sys.modules


def test_a_package_may_be_a_part_of_another(written):
    package = written({"in_use/__init__.py": "", "in_use/a.py": HANDLER, "a.py": HANDLER})
    registry = HandlerRegistry([f"{package}.in_use"])
    assert registry.resolve(f"{package}.in_use.a.A")
    with pytest.raises(HandlerLoadError, match="is outside"):
        registry.resolve(f"{package}.a.A")


def test_no_packages_no_handlers():
    with pytest.raises(HandlerLoadError, match="none is configured"):
        HandlerRegistry([]).resolve("handlers.linear.LinearStep1Handler")
