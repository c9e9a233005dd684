"""A task's DAG on a terminal: a box a step, coloured by its state, with its time and its tries."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.text import Text

from tasker_mp.cli.output import short_duration, single_line
from tasker_mp.cli.task_fold import Bunch, folded, singles
from tasker_mp.states import StepState
from tasker_mp.template.graph import Picture, picture

if TYPE_CHECKING:
    from tasker_mp.client.task import Step

STYLES = {
    StepState.COMPLETE: "green",
    StepState.RESOLVED_MANUALLY: "green",
    StepState.ERROR: "bold red",
    StepState.IN_PROGRESS: "cyan",
    StepState.WAITING_FOR_RETRY: "yellow",
    StepState.CANCELLED: "magenta",
    StepState.ENQUEUED: "blue",
    StepState.PENDING: "dim",
}
_WORST_FIRST = (
    StepState.ERROR,
    StepState.WAITING_FOR_RETRY,
    StepState.IN_PROGRESS,
    StepState.ENQUEUED,
    StepState.CANCELLED,
    StepState.PENDING,
)
_MOST_BOXES = 60
_MOST_LINES = 150
_NAME_LIMIT = 40
_ERROR_LIMIT = 34


def draw_task(
    steps: "Sequence[Step]", width: int, height: int = _MOST_LINES, now: datetime | None = None
) -> Text | None:
    """The steps as boxes, each by itself or else in bunches; None where neither fits."""
    now = now or datetime.now(UTC)
    for bunch in (singles, folded):
        if len(steps) <= _MOST_BOXES or bunch is folded:
            drawn = _drawn(bunch(steps), width, height, now)
            if drawn is not None:
                return drawn
    return None


def step_time(step: "Step", now: datetime) -> str:
    """How long the latest attempt took, or has run by now, or until there is another."""
    match step.state:
        case StepState.IN_PROGRESS:
            return f"for {_seconds(step.claimed_at, now)}" if step.claimed_at else ""
        case StepState.WAITING_FOR_RETRY:
            return f"again in {_seconds(now, step.due_at)}" if step.due_at else ""
        case StepState.ENQUEUED:
            return f"waits {_seconds(step.enqueued_at, now)}" if step.enqueued_at else ""
    if step.claimed_at is None or step.finished_at is None or step.finished_at < step.claimed_at:
        return ""
    return _seconds(step.claimed_at, step.finished_at)


def step_error(step: "Step", limit: int | None = None) -> str:
    """What its latest failed attempt said, on a line; nothing once it is over in another way."""
    if step.error is None or step.state not in (StepState.ERROR, StepState.WAITING_FOR_RETRY):
        return ""
    return single_line(str(step.error.get("message") or "no reason recorded"), limit)


def told_counts(bunch: Bunch) -> str:
    states = bunch.states
    if len(states) == 1:
        return str(next(iter(states)))
    return ", ".join(f"{count:,} {state}" for state, count in sorted(states.items()))


def state_of(bunch: Bunch) -> StepState:
    """The state of the one that most needs to be seen."""
    states = bunch.states
    return next((s for s in _WORST_FIRST if s in states), next(iter(states)))


def _drawn(bunches: list[Bunch], width: int, height: int, now: datetime) -> Text | None:
    if len(bunches) > _MOST_BOXES:
        return None
    keys = {id(bunch): str(number) for number, bunch in enumerate(bunches)}
    dependencies = {keys[id(b)]: [keys[id(p)] for p in b.parents] for b in bunches}
    labels = {keys[id(bunch)]: _label(bunch, now) for bunch in bunches}
    drawn = picture(dependencies, labels, width)
    if drawn is None or len(drawn.lines) > height:
        return None
    return _coloured(drawn, {keys[id(bunch)]: STYLES[state_of(bunch)] for bunch in bunches})


def _label(bunch: Bunch, now: datetime) -> str:
    name = single_line(bunch.name, _NAME_LIMIT)
    if len(bunch.steps) > 1:
        error = next(filter(None, (step_error(step, _ERROR_LIMIT) for step in bunch.steps)), "")
        return "\n".join(filter(None, (name, told_counts(bunch), error)))
    [step] = bunch.steps
    tries = f"try {step.attempts}" if step.attempts > 1 else ""
    facts = " · ".join(filter(None, (step.state, step_time(step, now), tries)))
    return "\n".join(filter(None, (name, facts, step_error(step, _ERROR_LIMIT))))


def _coloured(drawn: Picture, styles: dict[str, str]) -> Text:
    starts = [0]
    for line in drawn.lines:
        starts.append(starts[-1] + len(line) + 1)
    text = Text("\n".join(drawn.lines), no_wrap=True)
    for place in drawn.places:
        for row in range(place.top, place.top + place.lines):
            text.stylize(styles[place.name], starts[row] + place.start, starts[row] + place.end)
    return text


def _seconds(start: datetime | None, end: datetime | None) -> str:
    assert start is not None
    assert end is not None
    return short_duration(max(0.0, (end - start).total_seconds()))
