"""Histograms: their buckets, percentiles, sums and differences."""

import random

from hypothesis import given
from hypothesis import strategies as st

from tasker_mp.histogram import BUCKETS, Histogram, bucket_of, merged, upper_bound

_DURATIONS = st.integers(0, (1 << 37) - 1)


@given(_DURATIONS)
def test_a_duration_lies_in_its_bucket_which_is_no_wider_than_an_eighth(duration: int) -> None:
    bucket = bucket_of(duration)
    lower = upper_bound(bucket - 1) if bucket else 0
    assert lower <= duration < upper_bound(bucket)
    assert upper_bound(bucket) - lower <= max(1, lower // 8)


def test_the_longest_and_impossible_durations_have_a_bucket() -> None:
    assert bucket_of(-5) == 0
    assert bucket_of(1 << 37) == bucket_of(1 << 60) == BUCKETS - 1


@given(st.lists(_DURATIONS | st.integers(-9, 1 << 14) | st.integers(1 << 20, 1 << 22)))
def test_many_at_once_are_added_as_one_by_one(durations: list[int]) -> None:
    one_by_one, at_once = Histogram(), Histogram()
    for duration in durations:
        one_by_one.add(duration)
    at_once.add_all(durations)
    assert (at_once.counts, at_once.total) == (one_by_one.counts, one_by_one.total)
    twice = Histogram()
    for duration in durations:
        twice.add(duration, 2)
    assert [count / 2 for count in twice.counts] == at_once.counts
    assert twice.total == 2 * at_once.total


@given(st.lists(_DURATIONS, min_size=1), st.sampled_from([0, 50, 90, 99, 100]))
def test_a_percentile_is_the_bucket_of_the_nearest_rank(durations: list[int], percent: int) -> None:
    histogram = Histogram()
    for duration in durations:
        histogram.add(duration)
    rank = max(0, -(-len(durations) * percent // 100) - 1)
    exact = sorted(durations)[rank]
    assert histogram.percentile(percent) == upper_bound(bucket_of(exact)) / 1000
    assert (histogram.count, histogram.total) == (len(durations), sum(durations))


def test_without_durations_there_is_no_percentile() -> None:
    assert Histogram().percentile(50) is None


def test_what_is_written_can_be_read_merged_and_subtracted() -> None:
    generator = random.Random(7)
    early = Histogram()
    for _ in range(100):
        early.add(generator.randrange(1_000_000))
    late = Histogram(early.trimmed(), early.total)
    late.add(5)
    late.add(700)
    added = late.since(early)
    assert (added.count, added.total, added.trimmed()) == (2, 705, histogram_of(5, 700).trimmed())
    whole = merged([early, added])
    assert (whole.counts, whole.total) == (late.counts, late.total)


def histogram_of(*durations: int) -> Histogram:
    histogram = Histogram()
    for duration in durations:
        histogram.add(duration)
    return histogram
