"""The audit finds each kind of damage that somebody does to a finished task."""

import json
from pathlib import Path
from uuid import UUID

import psycopg
import pytest

from tasker_mp.client import Client, Submission
from tasker_mp.template.parse import load_templates
from tools.chaos.audit import Audit
from tools.chaos.causes import Faults
from tools.chaos.database import Database
from tools.chaos.executions import Execution
from tools.chaos.findings import Findings
from tools.chaos.injector import Hit
from tools.chaos.schedule import Kind

_TEMPLATES = Path(__file__).parents[2] / "config" / "tasks"
_NUMBER = 6
_RESULTS = {n: _NUMBER ** min(2**n, 8) for n in range(1, 5)}
_PID = 4711


class Finished:
    """A linear task as it is after an undisturbed run, with its executions."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self.task = self._submit()
        self._complete()
        self.executions = [
            Execution(self.task.hex, f"linear_step_{n}", 1, self._event(n), _PID, n, n + 1)
            for n in range(1, 5)
        ]
        self.accepted = {self.task.hex}
        self.hits: list[Hit] = []

    def _submit(self) -> UUID:
        with Client(self.dsn) as client:
            for template in load_templates(_TEMPLATES, "test").templates:
                client.register(template)
            one = Submission(
                namespace="linear_workflow",
                name="mathematical_sequence",
                context={"even_number": _NUMBER},
            )
            return client.submit_many([one])[0]

    def _complete(self) -> None:
        for number, result in _RESULTS.items():
            self.execute(
                "update tasker.steps set state = 'complete', attempts = 1, result = %s, "
                "event_id = gen_random_uuid(), claimed_at = now(), enqueued_at = now(), "
                "finished_at = now() where step_no = %s",
                json.dumps({"result": result}),
                number,
            )
        self.execute("update tasker.tasks set state = 'complete'")

    def _event(self, step_no: int) -> str:
        query = "select event_id from tasker.steps where step_no = %s"
        with psycopg.connect(self.dsn) as connection:
            [[event]] = connection.execute(query, [step_no]).fetchall()
        return str(event.hex)

    def execute(self, statement: str, *parameters: object) -> None:
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            connection.execute(statement, parameters)

    def charge(self, message: str, code: str | None) -> None:
        """Another attempt at the first step, on record as failed."""
        self.execute(
            "insert into tasker.transitions (task_uuid, step_no, at, from_state, to_state, attempt,"
            " event_id, error) values (%s, 1, now() - interval '1 s', 'in_progress', "
            "'waiting_for_retry', 1, gen_random_uuid(), %s)",
            self.task,
            json.dumps({"message": message, "error_code": code}),
        )
        crashed = int(code is not None)
        self.execute(
            "update tasker.steps set attempts = 2, crashes = %s where step_no = 1", crashed
        )

    def findings(self) -> dict[str, int]:
        findings = Findings()
        database = Database(self.dsn)
        try:
            audit = Audit(self.executions, Faults(self.hits), findings)
            audit.run(database, self.accepted)
        finally:
            database.close()
        return findings.counts()


@pytest.fixture
def finished(database: str) -> Finished:
    return Finished(database)


def test_an_undisturbed_run_has_no_findings(finished: Finished) -> None:
    assert finished.findings() == {}


def test_a_task_that_is_not_there(finished: Finished) -> None:
    finished.accepted.add("0" * 32)
    assert finished.findings() == {"accepted task lost": 1}


def test_a_task_that_nobody_submitted(finished: Finished) -> None:
    finished.accepted.clear()
    assert finished.findings() == {"task that nobody submitted": 1}


def test_a_task_that_has_not_ended(finished: Finished) -> None:
    finished.execute("update tasker.tasks set state = 'in_progress'")
    assert finished.findings() == {"task not complete": 1}


def test_a_result_that_is_off_by_one(finished: Finished) -> None:
    wrong = json.dumps({"result": 6**8 + 1})
    finished.execute("update tasker.steps set result = %s where step_no = 3", wrong)
    assert finished.findings() == {"wrong result": 1}


def test_a_step_of_a_complete_task_without_a_result(finished: Finished) -> None:
    finished.execute("update tasker.steps set state = 'enqueued' where step_no = 2")
    assert finished.findings()["wrong result"] == 1


def test_a_result_that_no_execution_has_brought(finished: Finished) -> None:
    finished.executions[1].ended = None
    assert finished.findings() == {"result without an execution that ended": 1}


def test_a_second_completion(finished: Finished) -> None:
    finished.execute(
        "insert into tasker.transitions (task_uuid, step_no, at, from_state, to_state) "
        "values (%s, 2, now() - interval '1 s', 'in_progress', 'complete')",
        finished.task,
    )
    assert finished.findings() == {"step completed more than once": 1}


def test_a_second_execution_for_no_reason(finished: Finished) -> None:
    first = finished.executions[0]
    finished.executions.append(Execution(first.task, first.step, 1, first.event, 99, 50, 51))
    assert finished.findings() == {"ran again for no reason": 1}


def test_an_attempt_that_is_charged_without_a_record(finished: Finished) -> None:
    finished.execute("update tasker.steps set attempts = 2 where step_no = 4")
    [kind] = finished.findings()
    assert kind.startswith("attempts of linear_step_4")


def test_a_charge_for_a_failure_that_was_none(finished: Finished) -> None:
    finished.charge("it said so", None)
    assert finished.findings() == {"charged for a failure that was none": 1}


def test_a_charge_to_a_worker_that_nobody_killed(finished: Finished) -> None:
    finished.charge(f"worker {_PID} died while it ran this step", "WORKER_CRASHED")
    assert finished.findings() == {"more steps charged than workers killed": 1}


def test_a_charge_to_a_worker_that_was_killed_is_right(finished: Finished) -> None:
    finished.charge(f"worker {_PID} died while it ran this step", "WORKER_CRASHED")
    finished.hits.append(Hit(Kind.WORKER, _PID, 1))
    assert finished.findings() == {}
