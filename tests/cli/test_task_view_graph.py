"""A task drawn, folded, followed: what a person sees of it, from fixed tasks."""

import random
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any
from uuid import UUID

import pytest
from rich.console import Console

from tasker_mp.cli.output import short_age
from tasker_mp.cli.task_choice import task_filter, when
from tasker_mp.cli.task_fold import folded, stem
from tasker_mp.cli.task_graph import STYLES, draw_task
from tasker_mp.cli.task_watch import changes, screen
from tasker_mp.client.task import Step, Task
from tasker_mp.states import StepState, TaskState

NOW = datetime(2026, 1, 1, tzinfo=UTC)
UUID_1 = UUID(int=1 << 20)


def step(
    number: int,
    name: str,
    state: str,
    children: Iterable[int] = (),
    attempts: int = 1,
    error: str | None = None,
) -> Step:
    return Step(
        uuid=UUID(int=number),
        step_no=number,
        name=name,
        state=StepState(state),
        attempts=attempts,
        waiting_on=0,
        children=list(children),
        owner=None,
        enqueued_at=NOW - timedelta(seconds=3),
        claimed_at=None if state in ("pending", "enqueued") else NOW - timedelta(seconds=2),
        finished_at=NOW - timedelta(seconds=1) if state in ("complete", "error") else None,
        due_at=NOW + timedelta(seconds=5) if state == "waiting_for_retry" else None,
        result=None,
        metadata=None,
        error={"message": error} if error else None,
    )


def task(steps: list[Step], **fields: Any) -> Task:
    return Task(
        **{
            "uuid": UUID_1,
            "namespace": "shop",
            "name": "order",
            "version": "1.0.0",
            "state": TaskState.IN_PROGRESS,
            "priority": 0,
            "created_at": NOW - timedelta(seconds=9),
            "started_at": NOW,
            "completed_at": None,
            "correlation_id": UUID_1,
            "initiator": None,
            "reason": None,
            "tags": [],
            "context": {},
            "steps": steps,
        }
        | fields
    )


def order() -> list[Step]:
    return [
        step(1, "check", "complete", [2, 3]),
        step(2, "pay", "error", [4], 3, "card\ndeclined"),
        step(3, "pack", "in_progress", [4]),
        step(4, "ship", "pending", attempts=0),
    ]


def fan(width: int) -> list[Step]:
    """A split, `width` chains of two, a join."""
    fetched = range(2, 2 + width)
    stored = range(2 + width, 2 + 2 * width)
    states = ("complete", "complete", "error")
    return [
        step(1, "split", "complete", fetched),
        *(step(n, f"fetch_{n}", states[n % 3], [n + width], error="net down") for n in fetched),
        *(step(n, f"store_{n}", "pending", [2 + 2 * width]) for n in stored),
        step(2 + 2 * width, "join", "pending"),
    ]


def drawn(steps: list[Step], width: int = 100) -> str:
    text = draw_task(steps, width, now=NOW)
    assert text is not None
    return text.plain


def test_every_box_has_its_state_time_tries_and_error() -> None:
    text = drawn(order())
    lines = [line.strip() for line in text.splitlines()]
    assert any("error · 1.0 s · try 3" in line for line in lines)
    assert any("in_progress · for 2.0 s" in line for line in lines)
    assert any("card declined" in line for line in lines)
    assert text.count("▼") == 4


def test_a_box_has_the_colour_of_its_state() -> None:
    text = draw_task(order(), 100, now=NOW)
    assert text is not None
    for name, state in (("check", "complete"), ("pay", "error"), ("pack", "in_progress")):
        at = text.plain.index(name)
        styles = {str(span.style) for span in text.spans if span.start <= at < span.end}
        assert styles == {STYLES[StepState(state)]}


def test_ten_thousand_steps_fold_to_what_a_page_can_show() -> None:
    steps = fan(4999)
    assert len(steps) == 10_000
    text = drawn(steps)
    assert len(text.splitlines()) < 25
    assert "fetch_# (4,999)" in text
    assert "3,332 complete, 1,667 error" in text
    assert "net down" in text
    assert "store_# (4,999)" in text


def test_a_chain_of_ten_thousand_is_one_box() -> None:
    last = 10_000
    steps = [step(n, f"link_{n}", "pending", [n + 1] if n < last else []) for n in range(1, 10_001)]
    assert "link_# (10,000)" in drawn(steps)


def test_folding_keeps_every_step_and_every_edge_between_families() -> None:
    rng = random.Random(7)
    count = 300
    steps = [
        step(n, f"{rng.choice('abc')}_{n}", rng.choice(list(StepState)),
             sorted({rng.randint(n + 1, count) for _ in range(2)}) if n < count else [])
        for n in range(1, count + 1)
    ]  # fmt: skip
    bunches = folded(steps)
    assert sorted(s.step_no for b in bunches for s in b.steps) == list(range(1, count + 1))
    of = {s.step_no: b for b in bunches for s in b.steps}
    for parent in steps:
        for child in parent.children:
            one, other = of[parent.step_no], of[child]
            assert one is other or one in other.parents
    assert all(len(b.parents) == len(set(map(id, b.parents))) for b in bunches)
    place = {id(bunch): index for index, bunch in enumerate(bunches)}
    assert all(place[id(p)] < place[id(b)] for b in bunches for p in b.parents), "no cycle"


def test_a_task_that_fits_no_page_is_not_drawn() -> None:
    assert draw_task(order(), 30, now=NOW) is None
    assert draw_task(order(), 100, height=5, now=NOW) is None


def test_stems() -> None:
    assert stem("part_07_of_12") == "part_#_of_#"


# -- followed -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("width", "height"), [(60, 20), (100, 30), (200, 60)])
@pytest.mark.parametrize("steps", [order(), fan(4999)], ids=["small", "large"])
def test_a_screen_fits_and_tells_the_failure(steps: list[Step], width: int, height: int) -> None:
    console = Console(file=StringIO(), width=width, height=height, force_terminal=False)
    console.print(screen(task(steps), width, height, NOW))
    assert isinstance(console.file, StringIO)
    lines = console.file.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    assert len(lines) <= height
    assert "shop/order" in lines[0]
    assert "steps over" in lines[1]
    assert "error" in "\n".join(lines[2:])


def test_changes_are_told_once_and_many_are_counted() -> None:
    told: dict[int, tuple[StepState, int]] = {}
    first = changes(task(order()), told)
    assert [line.split()[:2] for line in first] == [
        ["check", "complete"],
        ["pay", "error"],
        ["pack", "in_progress"],
    ]
    assert first[1].endswith("card declined")
    assert changes(task(order()), told) == []
    later = order()
    later[2] = step(3, "pack", "complete")
    assert [line.split()[0] for line in changes(task(later), told)] == ["pack"]
    many = changes(task([step(n, f"s{n}", "complete") for n in range(1, 101)]), {})
    assert len(many) == 21
    assert many[-1] == "80 more steps complete"


# -- which tasks ----------------------------------------------------------------------------------


def test_an_age_and_a_date_are_moments() -> None:
    context: Any = None
    for text, seconds in (("90s", 90), ("15m", 900), ("2h", 7200), ("7d", 604800)):
        found = when(context, context, text)
        assert found is not None
        assert abs((datetime.now(UTC) - found).total_seconds() - seconds) < 5
    assert when(context, context, "2026-01-31T10:00+01:00") == datetime(2026, 1, 31, 9, tzinfo=UTC)
    with pytest.raises(Exception, match="is no age: give 90s"):
        when(context, context, "yesterday")


def test_a_template_is_named_with_or_without_its_namespace() -> None:
    where, scan = task_filter(template="shop/order@1.2.3")
    assert (where.namespace, where.name, where.version) == ("shop", "order", "1.2.3")
    assert scan is not None
    where, scan = task_filter(template="order", namespace="n", correlation_id=UUID_1)
    assert (where.namespace, where.name, where.version, scan) == ("n", "order", None, None)


def test_ages_have_one_unit() -> None:
    ages = [short_age(s) for s in (-1, 45, 125, 3 * 3600, 50 * 3600)]
    assert ages == ["0 s", "45 s", "2 min", "3 h", "2 d"]
