"""One task alone, taken apart by its own timestamps."""

import time
from collections.abc import Sequence
from typing import NamedTuple

from bench.latency.floors import Need
from bench.patterns import PATTERNS
from bench.project import Served
from bench.samples import percentile
from tasker_mp.client.task import Task
from tasker_mp.errors import EngineError

LINEAR = PATTERNS["linear"]
_LIMIT = 60.0


class Part(NamedTuple):
    """`times` it comes in a task; what it cannot do without, each time."""

    name: str
    what: str
    need: Need
    times: int = 1


SUBMIT = Part("submit", "the client's call; the task is created early in it", Need(commits=1))
CLAIM = Part(
    "created > claimed",
    "the submit's commit, the notification, the claim sent",
    Need(commits=1, wake_ups=1),
)
FIRST = Part(
    "claimed > 1st finish",
    "the claim's answer, to the worker and back",
    Need(round_trips=1, wake_ups=2),
)
NEXT = Part(
    "finish > next finish",
    "the commit of one step, which claims the next one; to the worker and back",
    Need(commits=1, wake_ups=2),
    times=LINEAR.steps - 1,
)
SEEN = Part(
    "last finish > seen",
    "the last commit, the notification, the task read by its waiter",
    Need(commits=1, round_trips=1, wake_ups=1),
)
IN_LINE = (CLAIM, FIRST, NEXT, SEEN)
"""One after the other, they are the whole time but for the way of the submit to the database."""
TOTAL = Part(
    "total",
    "from before the submit until the result is seen",
    Need(*(sum(part.times * part.need[place] for part in IN_LINE) for place in range(len(Need())))),
)
PARTS = (TOTAL, SUBMIT, *IN_LINE)


class Timed(NamedTuple):
    """Seconds since the epoch by one clock, but for the two durations; `finished` of each step."""

    total: float
    submit: float
    created: float
    claimed: float
    finished: Sequence[float]
    seen: float

    def milliseconds(self) -> dict[str, list[float]]:
        """By the parts' names, as often as each comes."""
        following = zip(self.finished, self.finished[1:], strict=False)
        seconds = {
            TOTAL: [self.total],
            SUBMIT: [self.submit],
            CLAIM: [self.claimed - self.created],
            FIRST: [self.finished[0] - self.claimed],
            NEXT: [later - earlier for earlier, later in following],
            SEEN: [self.seen - self.finished[-1]],
        }
        return {part.name: [1000 * each for each in found] for part, found in seconds.items()}


def timed_task(served: Served) -> Timed:
    """One more; `EngineError` where it does not complete."""
    started = time.perf_counter()
    submitted = served.client.submit(LINEAR.namespace, LINEAR.template, LINEAR.context)
    called = time.perf_counter()
    task = served.client.wait(submitted.uuid, timeout=_LIMIT)
    ended, seen = time.perf_counter(), time.time()
    if task.state != "complete":
        raise EngineError(f"a task of {LINEAR.name} ended as {task.state}")
    claimed, finished = _stamps(task)
    created = task.created_at.timestamp()
    return Timed(ended - started, called - started, created, claimed, finished, seen)


def _stamps(task: Task) -> tuple[float, list[float]]:
    """When the first step was claimed, and when each was finished, by the database's clock."""
    claimed = [step.claimed_at.timestamp() for step in task.steps if step.claimed_at]
    finished = [step.finished_at.timestamp() for step in task.steps if step.finished_at]
    return claimed[0], finished


def gathered(tasks: Sequence[Timed]) -> dict[str, list[float]]:
    """Milliseconds of all of them by the parts' names, ascending."""
    found: dict[str, list[float]] = {part.name: [] for part in PARTS}
    for task in tasks:
        for name, milliseconds in task.milliseconds().items():
            found[name] += milliseconds
    return {name: sorted(values) for name, values in found.items()}


def percentiles(found: dict[str, list[float]], percent: int) -> dict[str, float]:
    """Of each part."""
    return {name: percentile(values, percent) for name, values in found.items()}
