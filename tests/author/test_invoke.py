import asyncio
import dataclasses
import sys
from decimal import Decimal

import msgspec
import pytest
from stepping import context_of, metadata_of, run, run_async, value_of

from tasker_mp import StepHandler, StepHandlerResult, errors
from tasker_mp.handler import invoke
from tasker_mp.messages import NULL, encode, encode_result


class Returning(StepHandler):
    def __init__(self, value):
        self.value = value

    def call(self, context):
        return self.value


class Raising(StepHandler):
    def __init__(self, error):
        self.error = error

    def call(self, context):
        raise self.error


@dataclasses.dataclass
class Point:
    x: int


@pytest.mark.parametrize(
    ("returned", "recorded"),
    [
        ({"a": 1}, {"a": 1}),
        ({}, {}),
        (None, None),
        (5, {"result": 5}),
        (6**64, {"result": 6**64}),
        (0, {"result": 0}),
        (False, {"result": False}),
        ("text", {"result": "text"}),
        ("{not an object", {"result": "{not an object"}),
        ([1, {"a": 2}], {"result": [1, {"a": 2}]}),
        (Point(3), {"x": 3}),
        ({"total": Decimal("1.10")}, {"total": "1.10"}),
        (StepHandlerResult.success({"a": 1}), {"a": 1}),
        (StepHandlerResult.success([1]), {"result": [1]}),
        (StepHandlerResult.success(), None),
    ],
)
def test_what_a_handler_may_return(returned, recorded):
    assert value_of(run(Returning(returned))) == recorded


def test_metadata_of_a_success_is_kept():
    outcome = run(Returning(StepHandlerResult.success(1, {"rows": 9})))
    assert msgspec.json.decode(outcome.metadata) == {"rows": 9}
    assert run(Returning(1)).metadata in (None, NULL)


def test_a_reported_failure_is_kept_as_it_is():
    failure = StepHandlerResult.failure("declined", "card_declined", False, {"a": 1}, "E51")
    outcome = run(Returning(failure))
    error = outcome.error
    assert (error.message, error.error_type, error.error_code) == (
        "declined",
        "card_declined",
        "E51",
    )
    assert error.retryable is False
    assert metadata_of(outcome) == {"a": 1}


def test_a_failure_without_words_still_says_something():
    outcome = run(Returning(StepHandlerResult(is_success=False)))
    assert "without a message" in outcome.error.message
    assert outcome.error.error_type == "handler_error"


class Asynchronous(StepHandler):
    async def call(self, context):
        await asyncio.sleep(0)
        return {"n": context.get_input_or("n", 4)}

    async def failing(self, context):
        raise errors.RateLimitError("slow down", retry_after=3)

    async def cancelled(self, context):
        asyncio.current_task().cancel()
        await asyncio.sleep(0)

    def future_like(self, context):
        return Promise()


class Promise:
    def __await__(self):
        yield from asyncio.sleep(0).__await__()
        return 11


def test_async_handlers_are_awaited():
    assert value_of(run(Asynchronous())) == {"n": 4}
    assert value_of(run(Asynchronous(), method="future_like")) == {"result": 11}
    error = run(Asynchronous(), method="failing").error
    assert (error.message, error.retryable, error.retry_after) == ("slow down", True, 3.0)


def test_a_handler_that_cancels_itself_has_failed():
    error = run(Asynchronous(), method="cancelled").error
    assert (error.error_type, error.retryable) == ("handler_error", True)
    assert error.message.startswith("CancelledError")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ValueError("bad value"), "ValueError: bad value"),
        (KeyError("k"), "KeyError: 'k'"),
        (RuntimeError(), "RuntimeError"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (SystemExit(3), "SystemExit: 3"),
        (GeneratorExit(), "GeneratorExit"),
    ],
)
def test_any_other_exception_is_retryable(error, message):
    recorded = run(Raising(error)).error
    assert (recorded.message, recorded.error_type) == (message, "handler_error")
    assert recorded.retryable is True


def test_an_authors_error_keeps_type_code_delay_and_metadata():
    raised = errors.ValidationError(
        "odd", error_code="VALIDATION_ERROR", metadata={"field": "n"}, context={"order": 1}
    )
    outcome = run(Raising(raised))
    assert (outcome.error.message, outcome.error.error_type) == ("odd", "validation_error")
    assert (outcome.error.error_code, outcome.error.retryable) == ("VALIDATION_ERROR", False)
    metadata = metadata_of(outcome)
    assert (metadata["field"], metadata["context"]) == ("n", {"order": 1})
    assert metadata["exception"] == "tasker_mp.errors.ValidationError"


def test_an_authors_error_without_a_message_is_named_after_its_class():
    assert run(Raising(errors.NetworkError())).error.message == "NetworkError"


def test_the_last_frames_of_the_traceback_are_kept():
    class Deep(StepHandler):
        def call(self, context):
            return self.down(50)

        def down(self, n):
            return self.down(n - 1) if n else 1 / 0

    frames = metadata_of(run(Deep()))["traceback"]
    assert 1 < len(frames) <= 8
    assert all(__file__ in frame and "in down" in frame for frame in frames)


def test_the_engines_own_frames_are_left_out():
    frames = metadata_of(run(Raising(ValueError("x"))))["traceback"]
    assert len(frames) == 1
    assert "in call" in frames[0]


def test_endless_recursion_fails_its_own_step():
    class Endless(StepHandler):
        def call(self, context):
            return self.call(context)

    outcome = run(Endless())
    assert outcome.error.message.startswith("RecursionError")
    assert len(metadata_of(outcome)["traceback"]) == 8


def test_a_long_message_is_cut_and_says_so():
    error = run(Raising(ValueError("x" * 1_000_000))).error
    assert len(error.message) == 8192
    assert error.message.endswith("… (1000012 characters in all)")


def test_messages_that_no_database_could_hold_are_made_harmless():
    assert run(Raising(ValueError("a\x00b\ud800c"))).error.message == "ValueError: a\ufffdb?c"


def test_an_error_whose_text_cannot_be_made_is_still_recorded():
    class Broken(Exception):
        def __str__(self):
            raise RuntimeError("no")

    assert run(Raising(Broken())).error.message.startswith("Broken: (a Broken whose text")


@pytest.mark.parametrize(
    "metadata", [{"f": open}, {"nan": float("nan")}, {"big": "x" * 100_000}, {(1, 2): 3}]
)
def test_metadata_that_cannot_be_kept_does_not_lose_the_error(metadata):
    outcome = run(Raising(errors.PermanentError("no", metadata=metadata)))
    assert (outcome.error.message, outcome.error.retryable) == ("no", False)
    assert "metadata_dropped" in metadata_of(outcome)


def test_fields_of_the_wrong_type_still_make_an_error_that_decodes():
    raised = errors.TaskerError("no", error_code=51, retry_after="soon")
    raised.metadata = None
    error = run(Raising(raised)).error
    assert (error.error_code, error.retry_after) == ("51", None)
    failure = StepHandlerResult(False, error_message=["a"], error_type=7, retryable=None)
    error = run(Returning(failure)).error
    assert (error.message, error.error_type, error.retryable) == ("['a']", "7", False)


@pytest.mark.parametrize(
    ("given", "kept"),
    [(2, 2.0), (0, 0.0), (-1, None), (float("nan"), None), (float("inf"), None), (10**400, 1e9)],
)
def test_a_wait_is_a_finite_number_of_seconds(given, kept):
    assert run(Raising(errors.RetryableError("x", retry_after=given))).error.retry_after == kept


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({"x": float("nan")}, "result.x is nan"),
        ([float("-inf")], "result[0] is -inf"),
        (StepHandlerResult.success({"x": float("inf")}), "result.x is inf"),
        (object(), "unsupported"),
        ({"s": "\ud800"}, "surrogates"),
        ((n for n in [1]), "generator"),
        ([10**5000], "4300"),
        (StepHandlerResult.success(1, {"f": open}), "unsupported"),
    ],
)
def test_a_result_that_json_cannot_carry_fails_for_good_and_says_why(value, reason):
    error = run(Returning(value)).error
    assert (error.error_type, error.retryable) == ("permanent_error", False)
    assert error.error_code == "INVALID_RESULT"
    assert reason in error.message


def test_memory_that_lacks_for_a_result_is_no_fault_of_the_result(monkeypatch):
    def lacks(value):
        if value == {"large": True}:
            raise MemoryError
        return encode_result(value)

    monkeypatch.setattr("tasker_mp.outcome.encode_result", lacks)
    error = run(Returning({"large": True})).error
    assert (error.message, error.retryable) == ("MemoryError", True)


def test_a_result_that_contains_itself_fails_its_own_step():
    endless = []
    endless.append(endless)
    error = run(Returning(endless)).error
    assert (error.error_code, error.retryable) == ("INVALID_RESULT", False)


def test_a_result_above_the_limit_fails_with_both_sizes():
    error = run(Returning("x" * 100_000_000), limit=67_108_864).error
    assert (error.error_type, error.retryable) == ("permanent_error", False)
    assert "100000017 bytes" in error.message
    assert "67108864" in error.message


def test_the_whole_outcome_of_a_result_within_the_limit_is_within_it():
    succeeded = 0
    for size in range(800, 1250):
        outcome = invoke(Returning("x" * size), "call", context_of(), run_async, 1200)
        outcome.run_ns = sys.maxsize
        succeeded += outcome.error is None
        assert outcome.error or len(encode(outcome)) <= 1200
    assert 0 < succeeded < 450


def test_metadata_counts_towards_the_limit():
    result = StepHandlerResult.success("x" * 500, {"m": "x" * 500})
    assert run(Returning(result), limit=1200).error.error_code == "INVALID_RESULT"
    assert run(Returning(result), limit=2000).error is None


def test_another_method_can_be_the_steps():
    class Two(StepHandler):
        def refund(self, context):
            return {"refunded": True}

    assert value_of(run(Two(), method="refund")) == {"refunded": True}


def test_a_handler_without_call_says_so():
    error = run(StepHandler()).error
    assert error.retryable is False
    assert "does not define call()" in error.message
