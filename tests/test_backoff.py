import pytest

from tasker_mp.backoff import delay
from tasker_mp.template.model import RetryPolicy


def seconds(attempt, jitter=0.0, **policy):
    return delay(RetryPolicy(**policy), attempt, jitter)


@pytest.mark.parametrize(
    ("backoff", "expected"),
    [
        ("exponential", [1, 2, 4, 8, 16]),
        ("linear", [1, 2, 3, 4, 5]),
        ("fibonacci", [1, 1, 2, 3, 5]),
        ("none", [0, 0, 0, 0, 0]),
    ],
)
def test_each_policy_grows_as_documented(backoff, expected):
    assert [seconds(n, backoff=backoff) for n in range(1, 6)] == expected


def test_a_base_scales_the_delay():
    assert seconds(3, backoff_base_ms=250) == 1.0


@pytest.mark.parametrize("backoff", ["exponential", "linear", "fibonacci"])
def test_the_cap_holds_however_late_the_attempt(backoff):
    assert seconds(100, backoff=backoff) == 30.0
    assert seconds(10_000_000, backoff=backoff) == 30.0


def test_jitter_moves_the_delay_by_15_percent_at_most():
    assert seconds(2, 1.0) == pytest.approx(2.3)
    assert seconds(2, -1.0) == pytest.approx(1.7)
    assert seconds(2, 0.5) == pytest.approx(2.15)
    assert seconds(2, 7.0) == pytest.approx(2.3)


def test_steps_at_the_cap_spread_out_as_well():
    assert {seconds(50, jitter) for jitter in (-1.0, 0.0, 1.0)} == {25.5, 30.0, 34.5}


def test_no_delay_stays_none_whatever_the_jitter():
    assert seconds(5, 1.0, backoff="none") == 0
    assert seconds(5, 1.0, backoff_base_ms=0) == 0
