"""Figures are held against their goals, and told as the page shows them."""

from typing import Any

import pytest

from bench.reliability.figure import Figure
from bench.reliability.page import page, section

_ENVIRONMENT = {
    "cpu": "Z80",
    "cores": 2,
    "kernel": "6.1",
    "python": "3.11.7",
    "workers": 3,
    "load": 0.25,
    "database": {"server_version": "18.6", "fsync": "on", "synchronous_commit": "off"},
}


def _figure(value: float, *, at_least: bool = False) -> Figure:
    return Figure("respawn", "ms", "p50", value, 20, f"p50 {value}", 1, {}, "Kill.", at_least)


@pytest.mark.parametrize(
    ("value", "at_least", "met"),
    [(20, False, True), (20.1, False, False), (20, True, True), (19.9, True, False)],
)
def test_a_goal_is_met_at_its_limit_and_not_beyond(value: float, at_least: bool, met: bool) -> None:
    assert _figure(value, at_least=at_least).met is met


def test_a_goal_says_which_way_it_is_meant() -> None:
    assert _figure(1).goal_text == "p50 ≤ 20 ms"
    assert _figure(1, at_least=True).goal_text == "p50 ≥ 20 ms"


def _document(**changes: Any) -> dict[str, Any]:
    row = {
        "measurement": "respawn",
        "figure": "worker respawn",
        "goal": "p50 ≤ 20 ms",
        "met": False,
        "measured": "p50 21 ms",
        "count": 50,
        "definition": "From the kill.",
    }
    empty = {"interrupted": False, "problems": [], "figures": [row]}
    return {"environment": _ENVIRONMENT, **empty, **changes}


def test_the_section_has_a_row_a_figure_its_definition_and_the_machine() -> None:
    shown = section(_document())
    row = "| worker respawn | p50 ≤ 20 ms | p50 21 ms | no | 50 | `--only respawn` |"
    assert row in shown.splitlines()
    assert "- *worker respawn*: From the kill." in shown
    assert "Z80, 2 cores" in shown
    assert "synchronous_commit off" in shown
    assert "load average 0.25 beforehand" in shown
    assert "Interrupted" not in shown


def test_what_is_missing_is_told() -> None:
    shown = section(_document(interrupted=True, problems=["kills: no room"], figures=[]))
    assert "Interrupted" in shown
    assert "Not measured: kills: no room" in shown


def test_the_page_has_the_environment_as_well() -> None:
    assert "| postgresql fsync | on |" in page(_document())
