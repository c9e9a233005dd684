"""The demo's report and its table, as data and as a screen."""

from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from rich.console import Console

from tasker_mp.cli.demo.report import Report, report
from tasker_mp.cli.demo.results import results
from tasker_mp.cli.demo.workflow import WORKFLOWS, Workflow
from tasker_mp.client.task import TaskResults
from tasker_mp.states import TaskState

LINEAR, *_, DAG, ORDER = WORKFLOWS
SUBMITTED = datetime(2026, 1, 1, tzinfo=UTC)


def outcome(
    workflow: Workflow, final: Any, milliseconds: int = 10, state: TaskState = TaskState.COMPLETE
) -> TaskResults:
    others = {f"step {n}": {} for n in range(workflow.steps - 1)}
    ended = SUBMITTED + timedelta(milliseconds=milliseconds)
    return TaskResults(
        uuid=uuid4(),
        state=state,
        created_at=SUBMITTED,
        completed_at=ended if state == TaskState.COMPLETE else None,
        results=others | {workflow.final: final},
    )


def test_a_report_counts_and_measures() -> None:
    tasks = [outcome(LINEAR, {"result": 6**8}, n) for n in range(1, 101)]
    made = report(LINEAR, 6, tasks)
    assert made.ok
    assert (made.tasks, made.succeeded, made.failed, made.steps) == (100, 100, 0, 400)
    assert (made.p50_ms, made.p95_ms, made.p99_ms) == (50.0, 95.0, 99.0)
    assert made.seconds == 0.1
    assert made.steps_per_second == 4000.0


def test_one_wrong_result_among_many_is_shown() -> None:
    tasks = [outcome(LINEAR, {"result": 6**8 + (n == 7)}) for n in range(20)]
    made = report(LINEAR, 6, tasks)
    assert not made.ok
    assert (made.succeeded, made.wrong, made.result) == (20, 1, 6**8 + 1)


def test_a_task_that_lacks_a_step_is_wrong() -> None:
    task = outcome(ORDER, {"amount_charged": "104.97"})
    assert report(ORDER, 6, [task]).ok
    del task.results["step 0"]
    assert not report(ORDER, 6, [task]).ok


def test_a_failed_task_is_not_right() -> None:
    tasks = [
        outcome(LINEAR, {"result": 6**8}),
        outcome(LINEAR, {"result": 6**8}, state=TaskState.ERROR),
    ]
    made = report(LINEAR, 6, tasks)
    assert not made.ok
    assert (made.succeeded, made.failed) == (1, 1)


def test_without_a_complete_task_nothing_is_measured() -> None:
    made = report(LINEAR, 6, [outcome(LINEAR, None, state=TaskState.IN_PROGRESS)])
    assert (made.p50_ms, made.steps_per_second, made.result, made.ok) == (None, None, None, False)


def every_report() -> list[Report]:
    def final(workflow: Workflow) -> dict[str, Any]:
        key = "result" if workflow.exponent else "amount_charged"
        return {key: workflow.expected(6)}

    return [report(w, 6, [outcome(w, final(w))] * 2000) for w in WORKFLOWS]


def screen(width: int, *, plain: bool = False) -> str:
    console = Console(file=StringIO(), width=width, force_terminal=False, legacy_windows=False)
    for renderable in results(every_report(), console, plain=plain):
        console.print(renderable)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [60, 80, 100, 200, 500])
def test_every_number_is_whole_at_every_width(width: int) -> None:
    drawn = screen(width)
    for exponent in (8, 16, 32, 64):
        assert str(6**exponent) in drawn
    for step in ("validate_order", "reserve_inventory", "process_payment", "ship_order"):
        assert step in drawn
    assert "…" not in drawn
    assert "10,000 of 10,000 tasks right (100 %)" in drawn
    assert max(map(len, drawn.splitlines())) <= width


def test_a_wide_screen_has_it_all_in_one_table() -> None:
    header = screen(300).splitlines()[0].split()
    assert header[:5] == ["workflow", "namespace", "tasks", "succeeded", "failed"]
    assert header[-3:] == ["result", "expected", "ok"]


def test_plain_has_no_drawn_lines() -> None:
    assert not set("─━│✓✗") & set(screen(100, plain=True))
