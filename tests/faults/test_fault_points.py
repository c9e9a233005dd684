"""A process is killed at each point of the table, in each order of readiness: nothing is lost."""

import pytest
from fault_audit import audit
from fault_case import run_case
from fault_project import FaultProject
from fault_service import Launcher
from points import CASES, POINTS, Order

from tasker_mp.client.client import Client

_PAIRS = {
    "results first": ["ready results death", "called _on_results", "called _on_death"],
    "deaths first": ["ready death results", "called _on_death"],
}


_PLACES = {point: place for place, point in enumerate(POINTS)}


def _case(point: str, order: Order) -> object:
    """For long runs: the order that comes by itself most of the time, and every second point (each
    kind of them has some in every run)."""
    long = order == "results first" or _PLACES[point] % 2 == 1
    return pytest.param(
        point, order, id=f"{point}-{order}", marks=[pytest.mark.long] if long else []
    )


@pytest.mark.parametrize(("point", "order"), [_case(*case) for case in CASES])
def test_a_process_killed_at_this_point_loses_nothing(
    launcher: Launcher, project: FaultProject, client: Client, point: str, order: Order
) -> None:
    project.arm(point, order)
    submitted = run_case(launcher, project, client, POINTS[point].scenario)
    assert set(project.reached()) == set(project.points)
    audit(project, client, submitted)
    assert "Traceback" not in project.log()
    if order:
        assert project.readiness() == _PAIRS[order]
