"""What must hold after a fault, by the database's record and by the ledger of the handlers."""

from collections import Counter
from typing import NamedTuple
from uuid import UUID

import psycopg
from fault_case import Submitted
from fault_project import FaultProject, expected_results
from points import POINTS

from tasker_mp.client.client import Client

_CUT_SHORT = ("enqueued", "waiting_for_retry")
_Step = tuple[str, str]


class Record(NamedTuple):
    """What the database has on record of the steps, each by (task, step)."""

    attempts: dict[_Step, int]
    completions: Counter[_Step]
    cut_short: Counter[_Step]
    """Claims that ended without a result: given back, or charged."""
    charges: dict[_Step, str]
    """What the errors say."""


def record(client: Client, submitted: Submitted) -> Record:
    """Of tasks that are complete, with the right results."""
    found = Record({}, Counter(), Counter(), {})
    for uuid, (graph, n) in submitted.graphs.items():
        task = client.get_task(uuid)
        assert task.state == "complete", (graph, task.errors)
        assert task.results == expected_results(graph, n)
        found.attempts.update({(str(uuid), step.name): step.attempts for step in task.steps})
        _add_transitions(found, client, uuid)
    return found


def _add_transitions(found: Record, client: Client, uuid: UUID) -> None:
    for transition in client.transitions(uuid):
        if not transition.step:
            continue  # the task's own
        step = (str(uuid), transition.step)
        if transition.to_state == "complete":
            found.completions[step] += 1
        if transition.from_state == "in_progress" and transition.to_state in _CUT_SHORT:
            found.cut_short[step] += 1
        if transition.error is not None:
            found.charges[step] = transition.error["message"]


def audit(project: FaultProject, client: Client, submitted: Submitted) -> None:
    """All tasks right, each step completed once, nothing run or charged again without a reason."""
    found = record(client, submitted)
    executions = project.executions()
    assert set(found.attempts) == set(executions)
    assert found.completions == dict.fromkeys(executions, 1)
    for step, count in executions.items():
        assert count <= 1 + found.cut_short[step], f"{step} ran {count} times, for no reason"
    _audit_charges(project, found, executions)
    assert _left_over(project.dsn) == {}


def _audit_charges(project: FaultProject, found: Record, executions: Counter[_Step]) -> None:
    """A dead worker charges the step that it ran, if its supervisor lived to tell."""
    points = [POINTS[name] for name in project.points]
    charged = sum(attempts - 1 for attempts in found.attempts.values())
    again = sum(executions.values()) - len(executions)
    owed, owed_again = sum(p.charged for p in points), sum(p.again for p in points)
    if project.deaths("supervisor"):
        assert charged <= owed
    else:
        assert (charged, again) == (owed, owed_again)
    victims = {f"worker {pid} died" for pid in project.reached().values()}
    assert len(found.charges) == charged
    assert all(text.startswith(tuple(victims)) for text in found.charges.values())


def _left_over(dsn: str) -> dict[str, int]:
    """Rows that nobody needs any more, by table."""
    with psycopg.connect(dsn) as connection:
        queues = [row[0] for row in connection.execute("select queue_name from pgmq.meta")]
        tables = ["tasker.claims", "tasker.supervisors", *(f"pgmq.q_{name}" for name in queues)]
        counts = {t: connection.execute(f"select count(*) from {t}").fetchone() for t in tables}
    return {table: row[0] for table, row in counts.items() if row and row[0]}
