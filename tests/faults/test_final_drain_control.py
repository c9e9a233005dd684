"""Negative control: without the final drain, the proof fails where the death is noticed first."""

import pytest
from fault_audit import audit, record
from fault_case import run_case
from fault_project import FaultProject
from fault_service import Launcher

from tasker_mp.client.client import Client

_POINT = "worker.publish.after"


def test_without_the_final_drain_a_published_result_is_lost_and_its_step_runs_again(
    launcher: Launcher, project: FaultProject, client: Client
) -> None:
    """The proof must see it: two steps run a second time whose results had been published."""
    project.arm(_POINT, "deaths first", final_drain=False)
    submitted = run_case(launcher, project, client)
    assert project.readiness()[:2] == ["ready death results", "called _on_death"]
    executions = project.executions()
    found = record(client, submitted)
    repeated = {step: found.cut_short[step] for step, count in executions.items() if count > 1}
    # Either may have broken the worker, so that none is charged; no record says why they ran again.
    assert sorted(repeated.values()) == [0, 0]
    with pytest.raises(AssertionError, match="for no reason"):
        audit(project, client, submitted)


def test_without_the_final_drain_nothing_is_lost_where_results_are_noticed_first(
    launcher: Launcher, project: FaultProject, client: Client
) -> None:
    """So the order must be forced: this one proves nothing about the drain."""
    project.arm(_POINT, "results first", final_drain=False)
    submitted = run_case(launcher, project, client)
    assert project.readiness() == ["ready results death", "called _on_results", "called _on_death"]
    audit(project, client, submitted)
    assert set(project.executions().values()) == {1}
