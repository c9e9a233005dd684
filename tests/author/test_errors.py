import inspect

import pytest

from tasker_mp import errors

RETRYABLE = [
    errors.TimeoutError,
    errors.NetworkError,
    errors.RateLimitError,
    errors.ServiceUnavailableError,
    errors.ResourceContentionError,
]
PERMANENT = [
    errors.ValidationError,
    errors.NotFoundError,
    errors.AuthenticationError,
    errors.AuthorizationError,
    errors.ConfigurationError,
    errors.BusinessLogicError,
]


@pytest.mark.parametrize("kind", RETRYABLE)
def test_retryable_errors_may_be_tried_again(kind):
    assert issubclass(kind, errors.RetryableError)
    assert kind("x").retryable is True


@pytest.mark.parametrize("kind", PERMANENT)
def test_permanent_errors_may_not(kind):
    assert issubclass(kind, errors.PermanentError)
    assert kind("x").retryable is False


def test_an_error_keeps_what_its_author_gave():
    error = errors.TaskerError(
        "no",
        retryable=False,
        metadata={"a": 1},
        error_code="E_NO",
        retry_after=2.5,
        context={"b": 2},
    )
    assert (str(error), error.message) == ("no", "no")
    assert (error.retryable, error.metadata, error.error_code) == (False, {"a": 1}, "E_NO")
    assert (error.retry_after, error.context) == (2.5, {"b": 2})


def test_the_error_type_follows_the_class_and_the_flag():
    assert errors.TaskerError("x").error_type == "retryable_error"
    assert errors.PermanentError("x").error_type == "permanent_error"
    assert errors.RetryableError("x", retryable=False).error_type == "permanent_error"
    assert errors.ValidationError("x").error_type == "validation_error"
    assert errors.TimeoutError("x").error_type == "timeout"


def test_a_subclass_that_never_calls_init_still_decides_on_a_retry():
    class CardLostError(errors.PermanentError):
        def __init__(self, card):
            self.card = card

    error = CardLostError("4242")
    assert error.retryable is False
    assert (error.metadata, error.error_code, error.retry_after) == ({}, None, None)


def test_exit_codes_are_the_command_lines():
    codes = {
        errors.EngineError: 1,
        errors.InvalidInputError: 2,
        errors.ConfigError: 2,
        errors.TemplateError: 2,
        errors.TemplateNotFoundError: 2,
        errors.ContextError: 2,
        errors.IdempotencyConflictError: 2,
        errors.UnreachableError: 3,
        errors.UnknownTaskError: 4,
        errors.HandlerLoadError: 1,
    }
    assert {kind: kind.exit_code for kind in codes} == codes


def test_every_error_is_either_the_authors_or_the_engines():
    for _, kind in inspect.getmembers(errors, inspect.isclass):
        if issubclass(kind, Exception):
            assert issubclass(kind, errors.TaskerError) != issubclass(kind, errors.EngineError)


def test_an_illegal_transition_names_both_states():
    error = errors.IllegalTransitionError("step", "complete", "pending")
    assert str(error) == "a step cannot go from complete to pending"
    assert (error.kind, error.old, error.new) == ("step", "complete", "pending")


def test_an_authors_class_may_say_by_either_name_whether_it_may_pass():
    class Never(errors.TaskerError):
        retryable = False

    class After(Never):
        pass

    class Always(errors.PermanentError):
        default_retryable = True

    assert [error("x").retryable for error in (Never, After, Always)] == [False, False, True]
    assert Never("x", retryable=True).retryable
    assert Never("x").error_type == "permanent_error"
