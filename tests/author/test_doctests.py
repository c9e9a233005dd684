"""Every example in a docstring of what authors import runs, and says what it prints."""

import doctest
import importlib
import pkgutil

import pytest

MODULES = [
    "tasker_mp.batch_processing",
    "tasker_mp.context",
    "tasker_mp.conversion",
    "tasker_mp.decision_point",
    "tasker_mp.error_classifier",
    "tasker_mp.errors",
    "tasker_mp.execution_result",
    "tasker_mp.failure",
    "tasker_mp.handler",
    "tasker_mp.models",
    "tasker_mp.record",
    "tasker_mp.registry",
    "tasker_mp.result",
    "tasker_mp.step_handler",
    "tasker_mp.testing",
    "tasker_mp.types",
]


def below(name):
    module = importlib.import_module(name)
    yield module
    for info in pkgutil.iter_modules(getattr(module, "__path__", ())):
        yield from below(f"{name}.{info.name}")


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of(name):
    for module in below(name):
        outcome = doctest.testmod(module)
        assert outcome.failed == 0, f"{module.__name__}: see the output"


def test_there_are_examples():
    finder = doctest.DocTestFinder()
    examples = [
        example
        for name in MODULES
        for module in below(name)
        for test in finder.find(module)
        for example in test.examples
    ]
    assert len(examples) > 30
