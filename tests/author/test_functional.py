import inspect
from dataclasses import dataclass
from decimal import Decimal

import msgspec
import pytest
from stepping import context_of, run, run_async, value_of

from tasker_mp import StepHandlerResult, errors
from tasker_mp.step_handler import (
    BatchConfig,
    Decision,
    FunctionalHandler,
    StepHandler,
    batch_analyzer,
    batch_worker,
    decision_handler,
    depends_on,
    inputs,
    step_handler,
)
from tasker_mp.types import DecisionPointOutcome


class Payment(msgspec.Struct, forbid_unknown_fields=True):
    token: str
    amount: int = 5


@dataclass
class Cart:
    total: int


class Dumped:
    def model_dump(self, mode):
        return {"mode": mode}


def handler_of(function):
    return function._handler_class()


def called(function, context=None):
    """What the handler's `call` comes to, awaited where it must be."""
    returned = handler_of(function).call(context or context_of())
    return run_async(returned) if inspect.isawaitable(returned) else returned


def returning(value, asynchronous):
    if asynchronous:

        @step_handler("returns")
        async def returns():
            return value
    else:

        @step_handler("returns")
        def returns():
            return value

    return returns


def test_a_decorated_function_is_still_a_function_and_a_handler_too():
    @step_handler("charge", version="1.2.0")
    @inputs("amount")
    def charge(amount):
        """Take the money."""
        return {"charged": amount}

    assert charge(3) == {"charged": 3}
    assert isinstance(charge, FunctionalHandler)
    cls = charge._handler_class
    assert issubclass(cls, StepHandler)
    assert (cls.handler_name, cls.handler_version) == ("charge", "1.2.0")
    assert (cls.__name__, cls.__module__, cls.__doc__) == ("charge", __name__, "Take the money.")
    assert value_of(run(cls(), context_of(context={"amount": 7}))) == {"charged": 7}


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize(
    ("returned", "recorded"),
    [
        ({"a": 1}, {"a": 1}),
        (None, {}),
        (5, {"result": 5}),
        ([1], {"result": [1]}),
        (Payment("t"), {"token": "t", "amount": 5}),
        (Cart(3), {"total": 3}),
        (Dumped(), {"mode": "json"}),
        ({"total": Decimal("1.10")}, {"total": "1.10"}),
        (StepHandlerResult.success({"b": 2}), {"b": 2}),
    ],
)
def test_what_a_function_may_return(returned, recorded, asynchronous):
    function = returning(returned, asynchronous)
    assert value_of(run(handler_of(function))) == recorded
    assert called(function).is_success


def test_a_workers_loop_tells_async_functions_by_their_call():
    assert inspect.iscoroutinefunction(handler_of(returning(1, True)).call)
    assert not inspect.iscoroutinefunction(handler_of(returning(1, False)).call)


def test_a_function_that_returns_an_awaitable_is_awaited():
    async def later():
        return {"a": 1}

    @step_handler("wraps")
    def wraps():
        return later()

    assert value_of(run(handler_of(wraps))) == {"a": 1}


@pytest.mark.parametrize("asynchronous", [False, True])
def test_what_a_function_raises_is_the_failure_that_a_class_would_have(asynchronous):
    def failing(error):
        @step_handler("fails")
        def fails():
            raise error

        @step_handler("fails")
        async def fails_later():
            raise error

        return fails_later if asynchronous else fails

    limit = errors.RateLimitError("slow down", retry_after=7, error_code="E1", context={"n": 1})
    function = failing(limit)
    result = called(function)
    assert (result.is_success, result.error_message, result.retryable) == (False, "slow down", True)
    assert (result.retry_after, result.error_code) == (7, "E1")
    assert result.metadata["context"] == {"n": 1}
    assert run(handler_of(function)).error.retry_after == 7
    declined = called(failing(errors.BusinessLogicError("declined")))
    assert (declined.error_type, declined.retryable) == ("permanent_error", False)
    bug = called(failing(KeyError("cart")))
    assert (bug.error_message, bug.retryable) == ("KeyError: 'cart'", True)
    assert any("test_functional.py" in line for line in bug.metadata["traceback"])


RESULTS = {"validate": {"result": {"total": 40}}, "fetch": {"name": "Ada"}}


def test_results_and_inputs_are_passed_by_name():
    @step_handler("order")
    @depends_on(cart="validate", user="fetch", never="skipped")
    @inputs("amount", "note")
    def order(cart, user, never, amount, note, context):
        return {"all": [cart, user, never, amount, note, context.workflow_step.name]}

    context = context_of(context={"amount": 3}, dependencies=RESULTS)
    expected = [{"total": 40}, {"name": "Ada"}, None, 3, None, "step_a"]
    assert value_of(run(handler_of(order), context)) == {"all": expected}


def test_decorators_stand_in_any_order():
    @inputs("amount")
    @depends_on(cart="validate")
    @step_handler("order")
    @inputs("note")
    def order(cart, amount, note, _context):
        return {"all": [cart, amount, note, _context.get_input("note")]}

    context = context_of(context={"amount": 3, "note": "n"}, dependencies=RESULTS)
    assert value_of(run(handler_of(order), context)) == {"all": [{"total": 40}, 3, "n", "n"]}


def test_models_are_filled_in():
    @step_handler("pay")
    @depends_on(cart=("validate", Cart), missing=("skipped", Cart))
    @inputs(Payment)
    def pay(cart, missing, inputs):
        assert missing is None
        return {"all": [cart.total, inputs.token, inputs.amount]}

    context = context_of(context={"token": "t", "of another step": 1}, dependencies=RESULTS)
    assert value_of(run(handler_of(pay), context)) == {"all": [40, "t", 5]}


def test_a_field_that_may_be_none_is_where_it_is_missing():
    @step_handler("note")
    @inputs(msgspec.defstruct("Note", [("text", str | None), ("n", int | None, 3)]))
    def note(inputs):
        return {"all": [inputs.text, inputs.n]}

    assert value_of(run(handler_of(note))) == {"all": [None, 3]}


def test_data_that_fits_no_model_is_a_permanent_error_that_names_it():
    @step_handler("pay")
    @depends_on(cart=("validate", Cart))
    @inputs(Payment)
    def pay(cart, inputs): ...

    right = {"token": "t"}
    cases = [
        ({"token": 5}, RESULTS, "the task's input: token is 5: expected `str`, got `int`"),
        ({}, RESULTS, "the task's input: token is missing"),
        (right, {"validate": {"total": "x"}}, "the result of step 'validate': total is 'x': "),
        (right, {"validate": 7}, "the result of step 'validate': it is 7: "),
    ]
    for given, results, message in cases:
        outcome = run(handler_of(pay), context_of(context=given, dependencies=results))
        assert outcome.error.message.startswith(message)
        assert (outcome.error.error_type, outcome.error.retryable) == ("validation_error", False)


def test_a_parameter_that_nothing_gives_is_found_out_before_any_step():
    @step_handler("lost")
    @inputs("amount")
    def lost(amount, note): ...

    @step_handler("surplus")
    @inputs("amount", "note")
    def surplus(amount): ...

    @step_handler("all")
    @inputs("amount", "note")
    def takes_all(amount, other=1, **rest):
        return rest

    with pytest.raises(errors.ConfigurationError, match=r"gives .*lost its parameter note"):
        handler_of(lost)
    with pytest.raises(errors.ConfigurationError, match=r"surplus has no parameter note"):
        handler_of(surplus)
    assert value_of(run(handler_of(takes_all))) == {"note": None}


def test_decorators_refuse_what_they_cannot_mean():
    with pytest.raises(TypeError, match="cart is 5"):
        depends_on(cart=5)(lambda: None)
    with pytest.raises(TypeError, match="keys or one model"):
        inputs("amount", Payment)(lambda: None)


def test_a_decision_is_made_by_returning_it():
    @decision_handler("route")
    @inputs("amount")
    def route(amount):
        if amount is None:
            return DecisionPointOutcome.create_steps(["by_hand"])
        return Decision.route(["approve"], amount=amount) if amount else Decision.skip("nothing")

    result = called(route, context_of(context={"amount": 5}))
    assert result.result == {
        "decision_point_outcome": {"type": "create_steps", "step_names": ["approve"]},
        "routing_context": {"amount": 5},
    }
    assert result.metadata["decision_handler"] == "route"
    skipped = called(route, context_of(context={"amount": 0})).result
    assert skipped["decision_point_outcome"] == {"type": "no_branches"}
    assert called(route).result["decision_point_outcome"]["step_names"] == ["by_hand"]


def test_work_is_cut_by_returning_how():
    @batch_analyzer("count", worker_template="load")
    async def count(context):
        return BatchConfig(total_items=context.get_input("rows"), batch_size=10, metadata={"f": 1})

    outcome = called(count, context_of(context={"rows": 25})).result
    assert outcome["batch_processing_outcome"]["worker_template_name"] == "load"
    assert outcome["batch_processing_outcome"]["worker_count"] == 3
    assert outcome["batch_metadata"] == {"f": 1}
    nothing = called(count, context_of(context={"rows": 0})).result
    assert nothing["batch_processing_outcome"] == {"type": "no_batches"}


def test_a_worker_is_given_its_batch():
    @batch_worker("load")
    def load(batch_context):
        return {"items_processed": batch_context.end_cursor - batch_context.start_cursor}

    cursor = {"batch_id": "001", "start_cursor": 10, "end_cursor": 25, "batch_size": 15}
    assert value_of(run(handler_of(load), context_of(inputs={"cursor": cursor}))) == {
        "items_processed": 15
    }
