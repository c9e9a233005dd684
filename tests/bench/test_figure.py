"""Figures are held against their goals, and told as the page shows them."""

import pytest

from bench.reliability.figure import Figure


def _figure(value: float, *, at_least: bool = False, **fields: object) -> Figure:
    samples = {"finished_ms": [1.0, 2.0], "other": [3.0]}
    return Figure(
        "respawn", "s", "max", value, 20, f"max {value}", 3, samples, "Kill.", at_least, **fields
    )


@pytest.mark.parametrize(
    ("value", "at_least", "met"),
    [(20, False, True), (20.1, False, False), (20, True, True), (19.9, True, False)],
)
def test_a_goal_is_met_at_its_limit_and_not_beyond(value: float, at_least: bool, met: bool) -> None:
    figure = _figure(value, at_least=at_least)
    assert figure.met is met
    assert figure.series()[0].met is met


def test_a_goal_says_which_way_it_is_meant() -> None:
    assert _figure(1).goal_text == "max ≤ 20 s"
    assert _figure(1, at_least=True).goal_text == "max ≥ 20 s"


def test_its_series_are_the_goals_and_then_the_samples_in_their_own_units() -> None:
    aim, finished, other = _figure(21, sample_unit="steps/s").series()
    assert (aim.name, aim.unit, aim.samples, aim.goal) == ("respawn, max", "s", [21], 20)
    assert aim.note == "Kill."
    assert (finished.name, finished.unit, finished.samples) == (
        "respawn: finished",
        "ms",
        [1.0, 2.0],
    )
    assert (other.name, other.unit) == ("respawn: other", "steps/s")
    assert finished.group != other.group  # a group has one unit
    assert (finished.goal, other.goal) == (None, None)


def test_where_the_value_is_a_median_its_rounds_are_kept() -> None:
    aim = _figure(2, rounds=[1.0, 2.0, 9.0]).series()[0]
    assert aim.samples == [1.0, 2.0, 9.0]
    assert aim.value == 2


def test_its_row_says_whether_the_goal_is_met_and_how_it_is_measured() -> None:
    assert _figure(21).row("kills") == ["respawn", "max ≤ 20 s", "max 21", "no", 3, "--only kills"]
