"""Compares the external ledger with the database: nothing lost, doubled, wrong, wrongly charged."""

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from msgspec import Struct, field

from tools.chaos.causes import Faults, by_step
from tools.chaos.database import Database, Retries, Retry, StepRow, TaskRow
from tools.chaos.executions import Execution
from tools.chaos.findings import Findings
from tools.chaos.workload import wrong_results

_WORKER: Final = re.compile(r"worker (\d+) died")
_UNEXPLAINED: Final = "unexplained"


class Totals(Struct):
    """What was counted on the way."""

    tasks: int = 0
    complete: int = 0
    steps: int = 0
    executions: int = 0
    cut_short: int = 0
    repeated: Counter[str] = field(default_factory=Counter)
    charged: Counter[str] = field(default_factory=Counter)
    returned: int = 0
    most_runs_of_a_step: int = 0


class Audit:
    """Run once, over a system at rest; adds to `findings` and `totals`."""

    def __init__(
        self,
        executions: Sequence[Execution],
        faults: Faults,
        findings: Findings,
    ) -> None:
        self._executions = executions
        self._steps = by_step(executions)
        self._faults = faults
        self._findings = findings
        self._events = {execution.event for execution in executions}
        self._ended = {
            e.event for e in executions if e.ended is not None and not (e.failed or e.yielded)
        }
        self._failed = {e.event for e in executions if e.failed}
        self._last_event = {e.pid: e.event for e in executions}  # in the order of the starts
        self.totals = Totals(executions=len(executions))

    def run(self, database: Database, accepted: Collection[str]) -> None:
        """`accepted` holds the tasks that the client was told are accepted."""
        retries = database.retries()
        missing = set(accepted)
        for task in database.tasks():
            self._task(task, retries)
            if task.uuid not in missing:
                self._findings.add("task that nobody submitted", task.uuid)
            missing.discard(task.uuid)
        for uuid in missing:
            self._findings.add("accepted task lost", uuid)
        for row in database.not_completed_once():
            self._findings.add("step completed more than once", row)
        self.totals.returned = database.returned()
        self._repetitions()
        self._charges(retries)

    # -- tasks and steps ----------------------------------------------------------------------

    def _task(self, task: TaskRow, retries: Retries) -> None:
        self.totals.tasks += 1
        self.totals.steps += len(task.steps)
        if task.state != "complete":
            self._findings.add("task not complete", f"{task.uuid} is {task.state}: {_open(task)}")
            return
        self.totals.complete += 1
        results = {step.name: step.result for step in task.steps if step.state == "complete"}
        for wrong in wrong_results(task.namespace, task.name, task.context, results):
            self._findings.add("wrong result", f"task {task.uuid}: {wrong}")
        for step in task.steps:
            self._step(task.uuid, step, retries.get((task.uuid, step.step_no), []))

    def _step(self, task: str, step: StepRow, retries: Sequence[Retry]) -> None:
        place = f"{step.name} of task {task}"
        if step.event not in self._ended:
            self._findings.add("result without an execution that ended", place)
        # The last attempt completed it; each one before was charged and is on record.
        self._findings.expect(f"attempts of {place}", step.attempts, 1 + len(retries))
        crashes = sum(retry.code == "WORKER_CRASHED" for retry in retries)
        self._findings.expect(f"crashes of {place}", step.crashes, crashes)

    # -- executions ---------------------------------------------------------------------------

    def _repetitions(self) -> None:
        for (task, step), runs in self._steps.items():
            self.totals.most_runs_of_a_step = max(self.totals.most_runs_of_a_step, len(runs))
            for number, cause in enumerate(self._faults.causes(runs)):
                self.totals.repeated[cause or _UNEXPLAINED] += 1
                if cause is None:
                    pair = f"{runs[number]} and {runs[number + 1]}"
                    self._findings.add("ran again for no reason", f"{step} of task {task}: {pair}")
        self.totals.cut_short = sum(execution.cut_short for execution in self._executions)

    # -- charges ------------------------------------------------------------------------------

    def _charges(self, retries: Retries) -> None:
        """An attempt is charged to what its handler failed, or to the one step that a killed
        worker was running: its last one. (Killed between starting it and the handler's first
        line, it is not in the ledger.)"""
        charged_to: Counter[int] = Counter()
        for (task, step_no), charges in retries.items():
            for charge in charges:
                place = f"step {step_no} of task {task}, attempt {charge.attempt}: {charge.message}"
                self.totals.charged[charge.code or "the handler failed"] += 1
                worker = _WORKER.search(charge.message)
                if worker is None:
                    if charge.event not in self._failed:
                        self._findings.add("charged for a failure that was none", place)
                    continue
                pid = int(worker[1])
                charged_to[pid] += 1
                if charge.event in self._events and self._last_event[pid] != charge.event:
                    self._findings.add("charged though its worker had gone on", place)
        self._charged_workers(charged_to)

    def _charged_workers(self, charged_to: Mapping[int, int]) -> None:
        for pid, charges in charged_to.items():
            kills = len(self._faults.killed_workers.get(pid, ()))
            if charges > kills:
                self._findings.add(
                    "more steps charged than workers killed", f"worker {pid}: {charges} for {kills}"
                )


def _open(task: TaskRow) -> str:
    """The steps that keep a task from its end."""
    return ", ".join(f"{step.name} {step.state}" for step in task.steps if step.state != "complete")
