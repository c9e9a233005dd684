"""`db prune`: asks first, deletes what ended before a time, and says how much of what."""

from conftest import Project

LINEAR = "linear_workflow/mathematical_sequence"
SIX = ("--context", '{"even_number": 6}')


def _submit(project: Project) -> str:
    return project.run("submit", LINEAR, *SIX).succeeded().out.strip()


def _present(project: Project) -> set[str]:
    tasks = project.run("task", "list", "--json").succeeded().document["tasks"]
    return {task["uuid"] for task in tasks}


def test_what_ended_goes_and_the_rest_stays(called: Project) -> None:
    cancelled, waiting = _submit(called), _submit(called)
    called.run("task", "cancel", cancelled).succeeded()
    done = called.run("db", "prune", "--yes", "--json").succeeded()
    assert done.document == {
        "pruned": {"tasks": 0, "steps": 0, "transitions": 0, "idempotency_keys": 0}
    }
    assert _present(called) == {cancelled, waiting}  # for 30 days
    done = called.run("db", "prune", "--older-than", "0", "--yes").succeeded()
    assert done.err.startswith("deleted 1 tasks, 4 steps, ")
    assert _present(called) == {waiting}


def test_only_the_states_named_are_deleted(called: Project) -> None:
    cancelled, resolved = _submit(called), _submit(called)
    called.run("task", "cancel", cancelled).succeeded()
    called.run("task", "resolve", resolved, "--reason", "done by hand").succeeded()
    everything = ("db", "prune", "--older-than", "0", "--yes", "--json")
    none = called.run(*everything, "--state", "complete", "--state", "error").succeeded()
    assert none.document["pruned"]["tasks"] == 0
    some = called.run(*everything, "--state", "resolved_manually").succeeded()
    assert some.document["pruned"]["tasks"] == 1
    assert _present(called) == {cancelled}


def test_nothing_is_deleted_that_nobody_has_agreed_to(called: Project) -> None:
    cancelled = _submit(called)
    called.run("task", "cancel", cancelled).succeeded()
    called.run("db", "prune", "--older-than", "0").failed(2, "--yes")
    kept = {"TASKER_MP_RETENTION__FINISHED_AFTER_DAYS": "0"}
    called.run("db", "prune", "--yes", **kept).failed(2, "finished_after_days", "--older-than")
    assert called.run("db", "prune", "--state", "pending", "--yes").code == 2
    assert called.run("db", "prune", "--older-than", "-1", "--yes").code == 2
    assert _present(called) == {cancelled}
