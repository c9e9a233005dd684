"""The test that tells a change from noise: against what is known of it, and by its properties."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import noise
from bench.noise import FEWEST, SIGNIFICANT, p_value

_ROUNDS = st.lists(st.integers(0, 5).map(float), min_size=1, max_size=5)


@pytest.mark.parametrize(
    ("one", "other", "p"),
    [
        ([1, 2, 3], [4, 5, 6], 0.1),  # the least that 3 and 3 can come to
        ([1, 2, 3, 4], [5, 6, 7, 8], 2 / 70),
        ([1, 2, 3, 4, 5], [6, 7, 8, 9, 10], 2 / 252),
        ([1, 3, 5], [2, 4, 6], 0.7),
        ([7], [7], 1.0),
        ([1, 1, 1], [1, 1, 1], 1.0),
    ],
)
def test_known_values(one: list[float], other: list[float], p: float) -> None:
    assert p_value(one, other) == pytest.approx(p)


def test_the_fewest_rounds_can_tell_and_one_fewer_cannot() -> None:
    def apart(count: int) -> float:
        return p_value(range(count), range(count, 2 * count))

    assert apart(FEWEST) < SIGNIFICANT <= apart(FEWEST - 1)


@given(_ROUNDS, _ROUNDS)
def test_it_is_the_share_of_all_ways_to_deal_the_values_that_are_as_far_apart(
    one: list[float], other: list[float]
) -> None:
    values = [*one, *other]
    ordered = sorted(values)
    ranks = [(ordered.index(v) + len(values) - ordered[::-1].index(v) + 1) / 2 for v in values]
    expected = len(one) * (len(values) + 1) / 2
    distance = abs(sum(ranks[: len(one)]) - expected)
    sums = [sum(some) for some in combinations(ranks, len(one))]
    share = sum(abs(total - expected) >= distance - 1e-9 for total in sums) / len(sums)
    assert p_value(one, other) == pytest.approx(share)


@given(_ROUNDS, _ROUNDS)
def test_neither_order_nor_scale_matters(one: list[float], other: list[float]) -> None:
    p = p_value(one, other)
    assert p_value(other, one) == pytest.approx(p)
    assert p_value([-3 * x for x in one], [-3 * x for x in other]) == pytest.approx(p)


def test_many_rounds_are_told_apart_as_well() -> None:
    assert p_value([x % 7 for x in range(100)], [x % 7 for x in range(100)]) == 1.0
    assert p_value([1.0] * 100, [1.0] * 100) == 1.0
    assert p_value(range(100), range(40, 140)) < 1e-6


def test_for_many_rounds_the_approximation_is_near_what_is_exact(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pairs = [(range(30), [x + shift for x in range(30)]) for shift in (1.5, 4, 7.5)]
    pairs.append(([x // 15 for x in range(30)], [x // 15 + (x % 3 == 0) for x in range(30)]))
    exact = [p_value(*pair) for pair in pairs]
    monkeypatch.setattr(noise, "_EXACT", 0)
    assert [p_value(*pair) for pair in pairs] == pytest.approx(exact, rel=0.2)
