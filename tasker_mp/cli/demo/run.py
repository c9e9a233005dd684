"""Runs the example workflows one after the other, so that the numbers of each are its own."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from tasker_mp.cli.demo.report import Report, report
from tasker_mp.cli.demo.workflow import Workflow
from tasker_mp.client.client import Client
from tasker_mp.client.submission import Submission
from tasker_mp.client.task import TaskResults
from tasker_mp.errors import EngineError
from tasker_mp.states import TaskState
from tasker_mp.system import System

_POLL_SECONDS = 0.05
_STALLED_SECONDS = 60.0
"""Without another task ending for that long, the rest count as failed."""


@dataclass(frozen=True)
class Progress:
    """`completed` and `failed` of `tasks`, after `seconds`."""

    workflow: Workflow
    tasks: int
    completed: int
    failed: int
    seconds: float

    @property
    def steps_per_second(self) -> float:
        return self.completed * self.workflow.steps / self.seconds if self.seconds else 0.0


@dataclass(frozen=True)
class Demo:
    """What every workflow's run needs; `show` is called about twenty times a second."""

    client: Client
    system: System
    number: int
    tasks: int
    show: Callable[[Progress], None]

    def run(self, workflow: Workflow) -> tuple[Report, str | None]:
        """The report on the tasks of a workflow, and a line on the first that failed, if any."""
        one = Submission(
            namespace=workflow.namespace,
            name=workflow.name,
            context=workflow.context(self.number),
            initiator="tasker-mp demo",
        )
        uuids = self.client.submit_many([one] * self.tasks)
        self._follow(workflow, uuids)
        results = self.client.get_results(uuids)
        return report(workflow, self.number, results), self._trouble(workflow, results)

    def _follow(self, workflow: Workflow, uuids: Sequence[UUID]) -> None:
        started = moved = time.monotonic()
        ended = 0
        while True:
            completed, failed = self.client.count_ended(uuids)
            now = time.monotonic()
            self.show(Progress(workflow, len(uuids), completed, failed, now - started))
            if completed + failed > ended:
                ended, moved = completed + failed, now
            if ended == len(uuids) or now - moved > _STALLED_SECONDS:
                return
            if not self.system.is_running():
                raise EngineError("the supervisor has stopped; what it said is above")
            time.sleep(_POLL_SECONDS)

    def _trouble(self, workflow: Workflow, results: Sequence[TaskResults]) -> str | None:
        bad = [found for found in results if found.state != TaskState.COMPLETE]
        if not bad:
            return None
        first = self.client.get_task(min(found.uuid for found in bad))
        reasons = [f"{name}: {error.get('message')}" for name, error in first.errors.items()]
        why = reasons[0] if reasons else f"{first.state}, {first.execution_status}"
        return f"{workflow.title}: {len(bad)} tasks failed; {first.uuid} at {why}"
