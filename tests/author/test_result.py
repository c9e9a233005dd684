from enum import Enum

from stepping import run

from tasker_mp import ErrorType, StepHandler, StepHandlerResult


def test_error_types_are_their_words():
    assert {str(kind) for kind in ErrorType} == {
        "permanent_error",
        "retryable_error",
        "validation_error",
        "timeout",
        "handler_error",
    }


def test_standard_words_are_told_from_others():
    assert ErrorType.TIMEOUT.is_standard()
    assert ErrorType.is_standard("timeout")
    assert not ErrorType.is_standard("card_declined")


def test_which_kinds_typically_pass():
    passing = {kind for kind in ErrorType if kind.is_typically_retryable()}
    assert passing == {ErrorType.RETRYABLE_ERROR, ErrorType.TIMEOUT, ErrorType.HANDLER_ERROR}
    assert not ErrorType.is_typically_retryable("card_declined")


def test_a_success_carries_result_and_metadata():
    result = StepHandlerResult.success({"a": 1}, {"took": 2})
    assert result.is_success
    assert (result.result, result.metadata) == ({"a": 1}, {"took": 2})
    assert (result.error_message, result.error_type, result.error_code) == (None, None, None)


def test_a_failure_is_a_retryable_handler_error_unless_said_otherwise():
    result = StepHandlerResult.failure("no")
    assert not result.is_success
    assert (result.error_message, result.error_type) == ("no", "handler_error")
    assert (result.retryable, result.error_code, result.metadata) == (True, None, {})


def test_a_failure_takes_the_authors_own_words():
    result = StepHandlerResult.failure("no", "card_declined", False, {"a": 1}, "E51")
    assert (result.error_type, result.retryable) == ("card_declined", False)
    assert (result.metadata, result.error_code) == ({"a": 1}, "E51")


def test_a_handlers_shortcuts():
    handler = StepHandler()
    assert handler.success({"a": 1}) == StepHandlerResult.success({"a": 1})
    assert handler.failure("no", error_code="E") == StepHandlerResult.failure("no", error_code="E")
    again = handler.retryable_error("busy", {"queue": 7}, {"node": "a"})
    assert (again.error_type, again.retryable) == ("retryable_error", True)
    assert again.metadata == {"queue": 7, "node": "a"}
    never = handler.permanent_error("no", {"field": "x"})
    assert (never.error_type, never.retryable) == ("permanent_error", False)
    assert never.metadata == {"field": "x"}


def test_an_authors_own_words_may_be_an_enum():
    class Kind(str, Enum):  # noqa: UP042  what authors may have
        DECLINED = "card_declined"

    assert StepHandlerResult.failure("no", Kind.DECLINED).error_type == "card_declined"


def test_a_failure_may_ask_for_a_delay():
    class Busy(StepHandler):
        def call(self, context):
            result = self.failure("busy")
            result.retry_after = 12.5
            return result

    assert run(Busy()).error.retry_after == 12.5


def test_a_result_is_plain_data_when_asked():
    result = StepHandlerResult.success({"a": 1})
    assert (result.is_success_result(), result.is_failure_result()) == (True, False)
    assert result.model_dump(exclude_none=True) == {
        "is_success": True,
        "result": {"a": 1},
        "retryable": True,
        "metadata": {},
    }
    assert StepHandlerResult.model_validate(result.model_dump()) == result
