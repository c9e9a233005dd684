"""Whether two sets of rounds differ by more than their noise: Mann and Whitney's U test.

It asks only how the rounds rank, so one bad round cannot decide, and no distribution is assumed.
"""

from collections.abc import Sequence
from math import comb, erfc, sqrt

SIGNIFICANT = 0.05
FEWEST = 4
"""Rounds of each: even when all of one are above all of the other, 3 and 3 leave p = 0.1."""
_EXACT = 60


def p_value(one: Sequence[float], other: Sequence[float]) -> float:
    """Of the two-sided test, 1 where all are equal: exact up to 60 rounds in all, ties included."""
    ranks = _doubled_ranks([*one, *other])
    total, first = len(ranks), len(one)
    observed = sum(ranks[:first])
    expected = first * (total + 1)
    if total <= _EXACT:
        return _exact(ranks, first, abs(observed - expected), expected)
    return _normal(ranks, first, abs(observed - expected))


def _doubled_ranks(values: Sequence[float]) -> list[int]:
    """Twice the rank of each; equal ones share theirs, which may be a half."""
    ordered = sorted(values)
    lowest = {value: place for place, value in reversed(list(enumerate(ordered, 1)))}
    highest = {value: place for place, value in enumerate(ordered, 1)}
    return [lowest[value] + highest[value] for value in values]


def _exact(ranks: Sequence[int], first: int, distance: int, expected: int) -> float:
    """The share of all choices of `first` ranks whose sum is as far from what is expected."""
    ways: list[dict[int, int]] = [{0: 1}, *({} for _ in range(first))]
    for rank in ranks:
        for count in range(first, 0, -1):
            for total, number in ways[count - 1].items():
                ways[count][total + rank] = ways[count].get(total + rank, 0) + number
    extreme = sum(n for total, n in ways[first].items() if abs(total - expected) >= distance)
    return extreme / comb(len(ranks), first)


def _normal(ranks: Sequence[int], first: int, distance: int) -> float:
    """By the normal distribution, corrected for ties and for continuity."""
    total = len(ranks)
    other = total - first
    ties = sum(count**3 - count for count in (ranks.count(rank) for rank in set(ranks)))
    variance = first * other / 12 * (total + 1 - ties / (total * (total - 1)))
    if variance <= 0:
        return 1.0
    deviation = max(0.0, distance / 2 - 0.5) / sqrt(variance)
    return erfc(deviation / sqrt(2))
