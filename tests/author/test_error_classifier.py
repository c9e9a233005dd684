import pytest

from tasker_mp import ErrorClassifier, errors, get_classifier, is_permanent, is_retryable


class Own(Exception):
    retryable = False


@pytest.mark.parametrize(
    ("error", "retryable", "rule"),
    [
        (errors.NetworkError("down"), True, "explicit_attribute"),
        (errors.ValidationError("bad"), False, "explicit_attribute"),
        (errors.RetryableError("no", retryable=False), False, "explicit_attribute"),
        (Own(), False, "explicit_attribute"),
        (KeyError("a"), False, "permanent_class"),
        (ConnectionResetError(), True, "retryable_class"),
        (TimeoutError(), True, "retryable_class"),
        (RuntimeError(), True, "default"),
    ],
)
def test_errors_are_judged_by_themselves_then_by_their_class(error, retryable, rule):
    assert (is_retryable(error), is_permanent(error)) == (retryable, not retryable)
    assert get_classifier().classify(error) == {
        "error_type": type(error).__name__,
        "retryable": retryable,
        "classification": rule,
    }


def test_what_nobody_knows_is_as_the_author_says():
    assert not ErrorClassifier(default_retryable=False).retryable(RuntimeError())


def test_an_error_tells_all_that_is_kept():
    error = errors.RateLimitError("slow", retry_after=3, error_code="E", context={"a": 1})
    assert error.to_dict() == {
        "error_type": "RateLimitError",
        "message": "slow",
        "retryable": True,
        "metadata": {"error_code": "E", "retry_after": 3, "a": 1},
    }
