"""What came of a workflow's tasks: counts, rate, latencies, and whether every result is exact."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tasker_mp.cli.demo.workflow import Workflow
from tasker_mp.client.task import TaskResults
from tasker_mp.states import TaskState


@dataclass(frozen=True)
class Report:
    """`failed` counts the tasks that did not complete, `wrong` those that did, inexactly.

    Latencies run from submit to complete, in milliseconds; `seconds` from the first task's submit
    to the last one's end. All are None without a complete task.
    """

    workflow: Workflow
    number: int
    tasks: int
    succeeded: int
    failed: int
    wrong: int
    steps: int
    seconds: float | None
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    result: Any

    @property
    def ok(self) -> bool:
        return self.succeeded == self.tasks and not self.wrong

    @property
    def expected(self) -> int | str:
        return self.workflow.expected(self.number)

    @property
    def steps_per_second(self) -> float | None:
        return round(self.steps / self.seconds, 1) if self.seconds else None

    def document(self) -> dict[str, Any]:
        """As `demo --json` prints it."""
        return {
            "name": self.workflow.name,
            "namespace": self.workflow.namespace,
            "tasks": self.tasks,
            "succeeded": self.succeeded,
            "failed": self.failed,
            "steps": self.steps,
            "steps_per_second": self.steps_per_second,
            "p50_ms": self.p50_ms,
            "p95_ms": self.p95_ms,
            "p99_ms": self.p99_ms,
            "result": self.result,
            "expected": self.expected,
            "ok": self.ok,
        }


def report(workflow: Workflow, number: int, tasks: Sequence[TaskResults]) -> Report:
    """From every task of one run of the workflow; its `result` is a wrong one if there is any."""
    complete = [task for task in tasks if task.state == TaskState.COMPLETE]
    wrong = [task for task in complete if not workflow.is_right(task.results, number)]
    times = [(task.created_at, task.completed_at) for task in complete if task.completed_at]
    latencies = sorted((end - start).total_seconds() * 1000 for start, end in times)
    shown = next(iter([*wrong, *complete]), None)
    return Report(
        workflow=workflow,
        number=number,
        tasks=len(tasks),
        succeeded=len(complete),
        failed=len(tasks) - len(complete),
        wrong=len(wrong),
        steps=sum(len(task.results) for task in tasks),
        seconds=_span(times),
        p50_ms=_percentile(latencies, 50),
        p95_ms=_percentile(latencies, 95),
        p99_ms=_percentile(latencies, 99),
        result=workflow.result(shown.results) if shown else None,
    )


def _span(times: Sequence[tuple[datetime, datetime]]) -> float | None:
    if not times:
        return None
    return (max(end for _, end in times) - min(start for start, _ in times)).total_seconds()


def _percentile(ordered: Sequence[float], percent: int) -> float | None:
    """The nearest-rank percentile."""
    if not ordered:
        return None
    rank = -(-len(ordered) * percent // 100)
    return round(ordered[rank - 1], 2)
