"""Steps and a task of them, as dictionaries: which state follows on what.

What the database counts (parents to wait for, open sinks, failures) is looked up in the graph.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import NamedTuple
from uuid import UUID

from tasker_mp.template.model import RetryPolicy

CRASH_LIMIT = 2
SATISFIED = {"complete", "resolved_manually"}
FINAL = {*SATISFIED, "cancelled"}
MOVING = {"enqueued", "in_progress", "waiting_for_retry"}
REVIVABLE = {"pending", "in_progress", "error"}

Key = tuple[UUID, str]


class Fate(Enum):
    """How an attempt ends."""

    COMPLETE = auto()
    RETRYABLE = auto()
    PERMANENT = auto()
    CRASH = auto()


class Result(NamedTuple):
    key: Key
    event: bytes
    fate: Fate
    value: object


class Change(NamedTuple):
    """One transition; the attempt where it begins or ends one."""

    old: str
    new: str
    attempt: int | None
    by_hand: bool


@dataclass
class Step:
    parents: tuple[str, ...]
    policy: RetryPolicy
    state: str = "pending"
    attempts: int = 0
    crashes: int = 0
    event: bytes | None = None
    owner: UUID | None = None
    due_in: float | None = None
    result: object = None
    reason: str | None = None
    """Why it failed, where it did."""
    path: list[Change] = field(default_factory=list)

    def move(self, new: str, *, by_hand: bool = False) -> None:
        attempt = self.attempts if "in_progress" in (self.state, new) else None
        self.path.append(Change(self.state, new, attempt, by_hand))
        self.state = new

    def start(self, event: bytes, owner: UUID) -> None:
        self.attempts += 1
        self.event, self.owner = event, owner
        self.move("in_progress")

    def end(self, result: Result) -> None:
        """Attempts are limited by the policy, and what takes workers down by the crash limit."""
        if result.fate is Fate.COMPLETE:
            self.result = result.value
            return self.move("complete")
        self.crashes += result.fate is Fate.CRASH
        quarantined = result.fate is Fate.CRASH and self.crashes >= CRASH_LIMIT
        permanent = result.fate is Fate.PERMANENT or quarantined
        if permanent or not self.policy.retryable or self.attempts >= self.policy.max_attempts:
            self.reason = (
                "quarantined"
                if quarantined
                else "permanent_error"
                if permanent
                else "attempts_used_up"
            )
            return self.move("error")
        self.due_in = pause(self.policy, self.attempts)
        return self.move("waiting_for_retry")

    def give_back(self) -> None:
        self.move("enqueued")
        self.attempts -= 1


def pause(policy: RetryPolicy, attempt: int) -> float:
    """Seconds to wait after a failed attempt, without jitter."""
    fibonacci = [1, 1]
    while len(fibonacci) < attempt:
        fibonacci.append(sum(fibonacci[-2:]))
    kinds = {
        "none": 0,
        "exponential": 2 ** (attempt - 1),
        "linear": attempt,
        "fibonacci": fibonacci[attempt - 1],
    }
    return min(policy.backoff_base_ms * kinds[policy.backoff], policy.max_backoff_ms) / 1000


@dataclass
class Task:
    priority: int
    steps: dict[str, Step]
    state: str = "pending"
    counts_all: bool = False
    """Whether a step was resolved before its own parents were done: it says nothing of them."""

    def __post_init__(self) -> None:
        self.children: dict[str, list[str]] = {name: [] for name in self.steps}
        for name, step in self.steps.items():
            for parent in step.parents:
                self.children[parent].append(name)
        self.ancestors = {
            name: self._above(name, lambda n: self.steps[n].parents) for name in self.steps
        }

    @staticmethod
    def _above(name: str, parents: Callable[[str], Iterable[str]]) -> set[str]:
        found: set[str] = set()
        waiting = list(parents(name))
        while waiting:
            above = waiting.pop()
            if above not in found:
                found.add(above)
                waiting += parents(above)
        return found

    @property
    def queue(self) -> int:
        return (self.priority > 0) - (self.priority < 0)

    def open_parents(self, name: str) -> list[str]:
        return [p for p in self.steps[name].parents if self.steps[p].state not in SATISFIED]

    def counted_parents(self, name: str) -> list[str]:
        """The open ones, without those that are certain to end before another parent begins."""
        implied = set[str]().union(*(self.ancestors[p] for p in self.steps[name].parents))
        return [p for p in self.open_parents(name) if self.counts_all or p not in implied]

    def open_sinks(self) -> int:
        sinks = [step for name, step in self.steps.items() if not self.children[name]]
        return sum(step.state not in SATISFIED for step in sinks)

    def failed_steps(self) -> int:
        return sum(step.state == "error" for step in self.steps.values())

    def ready_behind(self, names: Iterable[str]) -> list[str]:
        """Children that wait for nothing any more."""
        found = dict.fromkeys(child for name in names for child in self.children[name])
        return [
            name
            for name in found
            if self.steps[name].state == "pending" and not self.open_parents(name)
        ]

    def blocked(self, name: str) -> bool:
        """Whether a failure stands before it, however far."""
        above = self._above(name, self.open_parents)
        return any(self.steps[other].state in ("error", "cancelled") for other in above)

    def inputs(self, name: str) -> dict[str, object]:
        """Results of the ancestors that have one."""
        results = {above: self.steps[above].result for above in self.ancestors[name]}
        return {above: value for above, value in results.items() if value is not None}

    def settle(self) -> bool:
        """Whether it ended now: everything is done, or nothing left can move."""
        if self.state != "in_progress":
            return False
        if not self.open_sinks():
            self.state = "complete"
        elif not any(step.state in MOVING for step in self.steps.values()):
            self.state = "error"
        return self.state != "in_progress"

    def end(self) -> tuple[str, dict[str, str]]:
        """How it and its steps end once everything that can move completes: failures stay, and
        what is behind one stays pending."""
        states = {
            name: "complete"
            if step.state in MOVING or (step.state == "pending" and not self.blocked(name))
            else step.state
            for name, step in self.steps.items()
        }
        if self.state in FINAL:
            return self.state, states
        sinks = [state for name, state in states.items() if not self.children[name]]
        return "complete" if SATISFIED.issuperset(sinks) else "error", states
