"""What many measurements come to."""

from bench.samples import percentile, summary


def test_a_percentile_is_a_value_that_was_measured() -> None:
    values = [float(n) for n in range(1, 201)]
    assert percentile(values, 50) == 101
    assert percentile(values, 99) == 199
    assert percentile([7.0], 99) == 7
    assert percentile([1.0, 2.0], 99) == 2


def test_a_summary_needs_no_order() -> None:
    assert summary([3.0, 1.0, 2.0], 50, 99) == {"p50": 2, "p99": 3, "max": 3}
