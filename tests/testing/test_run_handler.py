import asyncio
import math

import pytest

from tasker_mp import StepHandler, errors
from tasker_mp.batch_processing import Batchable
from tasker_mp.errors import HandlerLoadError, RateLimitError, UnencodableResultError
from tasker_mp.step_handler import depends_on, inputs, step_handler
from tasker_mp.testing import run_handler


class Told(StepHandler):
    """Returns what it was given."""

    def call(self, context):
        return {
            "input": context.input_data,
            "results": context.dependency_results,
            "config": context.step_config,
            "same": self.config,
            "inputs": context.step_inputs,
            "attempt": context.retry_count + 1,
            "last": context.is_last_retry(),
            "name": context.handler_name,
        }

    def other(self, context):
        return "other"


class Export(StepHandler, Batchable):
    def call(self, context):
        done = context.checkpoint_items_processed
        if done < 3:
            return self.checkpoint_yield(done + 10, done + 1, {"seen": done})
        return {"cursor": context.checkpoint_cursor, "of": context.accumulated_results}


class Kept(StepHandler):
    def __init__(self, greeting):
        self.greeting = greeting

    def call(self, context):
        return self.greeting


@step_handler("sum_up")
@depends_on(first="first")
@inputs("n")
def sum_up(first, n):
    return {"sum": first + n}


async def slow(context):
    await asyncio.sleep(0)
    return [context.get_input("n")]


def test_a_class_is_given_all_that_a_step_is():
    outcome = run_handler(
        Told,
        {"n": 2**70},
        dependencies={"a": {"x": [1]}, "b": 4, "c": None},
        step_config={"deep": {"n": 2**70}},
        inputs={"cursor": {"batch_id": "001"}},
        attempt=3,
    )
    assert outcome.result == {
        "input": {"n": 2**70},
        "results": {"a": {"x": [1]}, "b": {"result": 4}, "c": None},
        "config": {"deep": {"n": 2**70}},
        "same": {"deep": {"n": 2**70}},
        "inputs": {"cursor": {"batch_id": "001"}},
        "attempt": 3,
        "last": True,
        "name": f"{__name__}.Told",
    }


def test_whatever_runs_as_a_step_can_be_run():
    assert run_handler(Kept("hi")).result == {"result": "hi"}
    assert run_handler(sum_up, {"n": 2}, dependencies={"first": 3}).result == {"sum": 5}
    assert run_handler(slow, {"n": 1}).result == {"result": [1]}
    assert run_handler(lambda context: None).result is None
    assert run_handler(Told, method="other").result == {"result": "other"}


def test_an_instance_keeps_its_own_config():
    handler = Told()
    handler.config = {"own": 1}
    assert run_handler(handler).result["config"] == {"own": 1}


def test_an_async_handler_runs_beside_the_loop_of_an_async_test():
    async def test():
        return run_handler(slow, {"n": 1})

    assert asyncio.run(test()).result == {"result": [1]}


def test_nothing_is_shared_with_the_handler():
    given = {"items": [1]}

    def changing(context):
        context.input_data["items"].append(2)
        context.get_dependency_result("a")["items"].append(2)
        context.step_config["items"].append(2)

    run_handler(changing, given, dependencies={"a": given}, step_config=given)
    assert given == {"items": [1]}


def test_a_yield_is_gone_on_from():
    outcome, runs = run_handler(Export), 1
    while outcome.checkpoint is not None:
        assert outcome.is_success
        assert outcome.result is None
        outcome, runs = run_handler(Export, checkpoint=outcome.checkpoint), runs + 1
    assert (outcome.result, runs) == ({"cursor": 12, "of": {"seen": 2}}, 4)


def test_a_checkpoint_may_be_given_in_part():
    outcome = run_handler(Export, checkpoint={"cursor": 5, "items_processed": 9})
    assert outcome.result == {"cursor": 5, "of": None}


def test_what_is_raised_is_recorded():
    def busy(context):
        raise RateLimitError("busy", retry_after=2.5, error_code="BUSY", metadata={"host": "a"})

    outcome = run_handler(busy)
    assert not outcome.is_success
    assert (outcome.error_message, outcome.error_type) == ("busy", "retryable_error")
    assert (outcome.error_code, outcome.retry_after, outcome.retryable) == ("BUSY", 2.5, True)
    assert outcome.metadata["host"] == "a"

    def missing(context):
        raise errors.NotFoundError("no such order")

    assert not run_handler(missing).retryable
    assert run_handler(lambda context: math.nan).error_code == "INVALID_RESULT"


def test_an_exit_is_a_failure_and_an_interrupt_ends_the_test():
    def exits(context):
        raise SystemExit(2)

    def interrupted(context):
        raise KeyboardInterrupt

    assert run_handler(exits).error_message == "SystemExit: 2"
    with pytest.raises(KeyboardInterrupt):
        run_handler(interrupted)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"handler": 5}, "5 is no handler"),
        ({"handler": dict}, "is no handler"),
        ({"handler": Kept}, "cannot be created"),
        ({"handler": Told, "method": "dance"}, "no method dance"),
    ],
)
def test_what_is_no_handler_is_the_tests_own_error(arguments, message):
    with pytest.raises(HandlerLoadError, match=message):
        run_handler(**arguments)


@pytest.mark.parametrize(
    "given",
    [
        {"context": {"a": math.nan}},
        {"dependencies": {"a": [math.inf]}},
        {"inputs": {"a": math.inf}},
        {"checkpoint": {"cursor": object()}},
    ],
)
def test_what_json_cannot_carry_is_told(given):
    with pytest.raises(UnencodableResultError):
        run_handler(Told, **given)
