"""A histogram of durations in buckets that grow with the value, as HdrHistogram has them.

Each power of two is cut into 8 buckets, so a percentile is right to within 1/8 of itself whatever
the range, recording costs one index and one addition, and histograms can be added and subtracted.
"""

from collections.abc import Iterable, Sequence
from typing import Final, Self

_SUB_BITS: Final = 3
_SUB: Final = 1 << _SUB_BITS
_BITS: Final = 37
BUCKETS: Final = (_BITS - _SUB_BITS + 1) * _SUB
"""Enough for 2**37 microseconds, a day and a half; what is longer counts as that long."""


def bucket_of(microseconds: int) -> int:
    """The bucket of a duration."""
    if microseconds < _SUB:
        return max(microseconds, 0)
    if microseconds >> _BITS:
        return BUCKETS - 1
    shift = microseconds.bit_length() - _SUB_BITS - 1
    return (shift << _SUB_BITS) + (microseconds >> shift)


def upper_bound(bucket: int) -> int:
    """The smallest duration in microseconds that is above every one in the bucket."""
    if bucket < _SUB:
        return bucket + 1
    shift = (bucket >> _SUB_BITS) - 1
    return ((bucket & (_SUB - 1)) + _SUB + 1) << shift


_SMALL: Final = 1 << 12
_MEDIUM: Final = _SMALL << 9
_NINE_POWERS: Final = 9 * _SUB
_TABLE: Final = tuple(map(bucket_of, range(_SMALL)))
"""The buckets of the durations that are common: looked up in a quarter of the time."""


class Histogram:
    """How many durations fell into each bucket; `total` is their sum in microseconds."""

    def __init__(self, counts: Sequence[int] = (), total: int = 0) -> None:
        self.counts = [*counts, *[0] * (BUCKETS - len(counts))]
        self.total = total

    def add(self, microseconds: int, count: int = 1) -> None:
        """So many durations of the same length."""
        self.counts[bucket_of(microseconds)] += count
        self.total += microseconds * count

    def add_all(self, durations: Iterable[int]) -> None:
        """Microseconds each, as `add` takes them, for a fraction of what many calls of it cost."""
        counts, total = self.counts, 0
        for microseconds in durations:
            total += microseconds
            if 0 <= microseconds < _SMALL:
                counts[_TABLE[microseconds]] += 1
            elif 0 < microseconds < _MEDIUM:
                counts[_TABLE[microseconds >> 9] + _NINE_POWERS] += 1
            else:
                counts[bucket_of(microseconds)] += 1
        self.total += total

    @property
    def count(self) -> int:
        return sum(self.counts)

    def percentile(self, percent: float) -> float | None:
        """Milliseconds, the upper bound of the bucket it falls into; None without durations."""
        wanted = self.count * percent / 100
        if not self.count:
            return None
        seen = 0
        for bucket, count in enumerate(self.counts):
            seen += count
            if seen >= wanted and count:
                return upper_bound(bucket) / 1000
        raise AssertionError("unreachable: the counts add up to the count")

    def since(self, earlier: Self) -> "Histogram":
        """What was added after `earlier`, a former state of this one."""
        return Histogram(
            [now - then for now, then in zip(self.counts, earlier.counts, strict=True)],
            self.total - earlier.total,
        )

    def trimmed(self) -> list[int]:
        """The counts without the zeros at the end: what is written and sent."""
        last = len(self.counts)
        while last and not self.counts[last - 1]:
            last -= 1
        return self.counts[:last]


def merged(histograms: Iterable[Histogram]) -> Histogram:
    """All of them in one."""
    whole = Histogram()
    for histogram in histograms:
        whole.counts = [a + b for a, b in zip(whole.counts, histogram.counts, strict=True)]
        whole.total += histogram.total
    return whole
