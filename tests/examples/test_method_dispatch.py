"""Steps that call another method than `call` of one class."""

from collections.abc import Callable

from example_project import Example


def test_each_step_calls_its_own_method(example: Callable[[str], Example]) -> None:
    with example("method_dispatch").running(workers=1) as running:
        task = running.run("payments/payment", {"amount": 25})
        assert task.state == "complete"
        assert task.results == {
            "authorize": {"authorized": 25, "currency": "EUR"},
            "capture": {"captured": 25},
            "receipt": {"text": "25 EUR received"},
        }
