"""A task's steps in groups few enough to look at: likes beside each other, and runs of likes."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tasker_mp.client.task import Step
from tasker_mp.states import StepState

_DIGITS = re.compile(r"\d+")


@dataclass(eq=False)
class Bunch:
    """Steps that are drawn as one box, and the bunches that they wait for."""

    name: str
    steps: list[Step]
    parents: list["Bunch"] = field(default_factory=list)

    @property
    def states(self) -> Counter[StepState]:
        return Counter(step.state for step in self.steps)

    @property
    def tries(self) -> int:
        return sum(step.attempts for step in self.steps)


def stem(name: str) -> str:
    """What the names of a generated family have in common."""
    return _DIGITS.sub("#", name)


def singles(steps: Sequence[Step]) -> list[Bunch]:
    """Every step by itself, in topological order."""
    made = {step.step_no: Bunch(step.name, [step]) for step in steps}
    _connect(steps, made)
    return list(made.values())


def folded(steps: Sequence[Step]) -> list[Bunch]:
    """Steps of one family and depth as one, and then runs of one family; in topological order.

    Edges lead from one depth to a deeper one, so what is merged has no cycle.
    """
    depths = _depths(steps)
    families: dict[tuple[int, str], Bunch] = {}
    made: dict[int, Bunch] = {}
    for step in sorted(steps, key=lambda step: depths[step.step_no]):
        key = (depths[step.step_no], stem(step.name))
        bunch = made[step.step_no] = families.setdefault(key, Bunch("", []))
        bunch.steps.append(step)
    _connect(steps, made)
    bunches = _without_runs(list(families.values()))
    for bunch in bunches:
        bunch.name = _name(bunch.steps)
    return bunches


def families(steps: Iterable[Step]) -> list[Bunch]:
    """Steps of one family as one, wherever they are, in the order of their first; no edges."""
    found: dict[str, Bunch] = {}
    for step in steps:
        found.setdefault(stem(step.name), Bunch("", [])).steps.append(step)
    for bunch in found.values():
        bunch.name = _name(bunch.steps)
    return list(found.values())


def _name(steps: Sequence[Step]) -> str:
    if len(steps) == 1:
        return steps[0].name
    return f"{stem(steps[0].name)} ({len(steps):,})"


def _depths(steps: Sequence[Step]) -> dict[int, int]:
    """By step number; numbers are topological."""
    depths: defaultdict[int, int] = defaultdict(int)
    for step in sorted(steps, key=lambda step: step.step_no):
        for child in step.children:
            depths[child] = max(depths[child], depths[step.step_no] + 1)
    return depths


def _connect(steps: Iterable[Step], made: dict[int, Bunch]) -> None:
    seen = set()
    for step in steps:
        for child in step.children:
            edge = (id(made[step.step_no]), id(made.get(child)))
            if child in made and edge not in seen:
                seen.add(edge)
                made[child].parents.append(made[step.step_no])


def _without_runs(bunches: list[Bunch]) -> list[Bunch]:
    """A bunch whose only parent is of its family and has no other child is one with it."""
    children = Counter(id(parent) for bunch in bunches for parent in bunch.parents)
    into: dict[int, Bunch] = {}
    kept = []
    for bunch in bunches:
        bunch.parents = list(dict.fromkeys(into.get(id(p), p) for p in bunch.parents))
        if len(bunch.parents) == 1 and _is_run(bunch.parents[0], bunch, children):
            first = into[id(bunch)] = bunch.parents[0]
            first.steps += bunch.steps
            children[id(first)] = children[id(bunch)]
        else:
            kept.append(bunch)
    return kept


def _is_run(first: Bunch, second: Bunch, children: Counter[int]) -> bool:
    return children[id(first)] == 1 and stem(first.steps[0].name) == stem(second.steps[0].name)
