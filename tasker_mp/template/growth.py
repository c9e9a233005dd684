"""Which steps come to be when a decision or a batchable step ends, and how they hang together.

Every step of the template either exists from the submit on, or comes to be in the transaction that
ends a deciding step (a decision, a batchable one):

    chosen       directly behind a decision: exists where the decision names it
    worker       one for each batch that a batchable step cut
    convergence  exists once any of what it may wait for does; it waits for that, and for every
                 deciding step that may still make more of it
    any other    exists once all that it depends on does

So a convergence has edges from deciding steps too, and the counters of open parents do the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

import msgspec
from msgspec import Raw, Struct

from tasker_mp.template.branching import (
    Batches,
    Branches,
    BranchingError,
    read_batches,
    read_decision,
    unknown_step,
)
from tasker_mp.template.model import StepDefinition, Template
from tasker_mp.template.plan import numbers_in, outline

UNKNOWN: Final = -1
"""A number of growths that no task has: what is based on it comes too early."""

_DECIDING = frozenset({"decision", "batchable"})
_LONGEST_NAME = 255


class NewStep(Struct, frozen=True):
    """A step to insert, with edges as the tables have them. `template_step` is the name under which
    the template has it, where that is not its own."""

    no: int
    name: str
    parents: list[int]
    children: list[int]
    ancestors: list[int]
    template_step: str | None = None
    inputs: Raw | None = None


class Growth(Struct, frozen=True):
    """What a deciding step's end adds to its task. `growths`: how many ends this is based on.

    `edges` are (parent, child) from steps that exist to new ones, `late_edges` from new ones to
    those that exist; `widened` is (existing step, new ancestors of it).
    """

    growths: int
    steps: list[NewStep] = []
    edges: list[tuple[int, int]] = []
    late_edges: list[tuple[int, int]] = []
    widened: list[tuple[int, list[int]]] = []


class Standing(Struct, frozen=True):
    """What has become of a task so far: how many deciding steps have ended, their numbers, and the
    steps that came to be: (number, template's name)."""

    growths: int = 0
    decided: tuple[int, ...] = ()
    made: tuple[tuple[int, str], ...] = ()


class _World(NamedTuple):
    """Numbers of the steps, by the number that the template has for each; those that are new."""

    places: dict[int, list[int]]
    fresh: dict[int, list[int]]

    def has(self, number: int) -> bool:
        return number in self.places


class GrowingTemplate:
    """A template in which steps come to be at run time."""

    def __init__(self, template: Template, max_batches: int) -> None:
        self._steps, self._parents, self._initial, self._masks = outline(template)
        self._numbers = {step.name: no for no, step in enumerate(self._steps) if step is not None}
        self._max_batches = max_batches

    @staticmethod
    def grows(template: Template) -> bool:
        return any(step.type in _DECIDING for step in template.steps)

    @property
    def names(self) -> list[str]:
        return list(self._numbers)

    def step(self, name: str) -> StepDefinition:
        return self._step(self._numbers[name])

    def decides(self, name: str) -> bool:
        """Whether the end of this step, by its template's name, makes others."""
        return self.step(name).type in _DECIDING

    def grow(self, name: str, result: bytes, standing: Standing | None) -> Growth:
        """What the result of the deciding step `name` leads to; `BranchingError` where it cannot be
        done.

        Without a standing, that of a task in which none has ended yet. A step that came to be
        itself cannot be the first one: then only the standing is asked for.
        """
        decider = self._numbers[name]
        if standing is None and not self._initial[decider]:
            return Growth(growths=UNKNOWN)
        standing = standing or Standing()
        step = self._step(decider)
        if step.type == "decision":
            chosen = self._chosen(decider, read_decision(result), standing)
            batches = None
        else:
            chosen = frozenset[int]()
            batches = read_batches(result, step, self._max_batches)
        world = self._world(standing)
        rows = self._make(decider, chosen, batches, world)
        return self._wired(decider, rows, world, standing)

    # -- what is asked for ------------------------------------------------------------------------

    def _chosen(self, decider: int, branches: Branches, standing: Standing) -> frozenset[int]:
        who = f"the decision {self._step(decider).name!r}"
        existing = {self._numbers[name] for _, name in standing.made}
        chosen = set()
        for name in branches.names:
            number = self._numbers.get(name)
            if number is None:
                raise unknown_step(name, self._behind(decider), who)
            shared = self._step(number).type == "deferred_convergence"
            if self._initial[number] or (number in existing and not shared):
                raise BranchingError(f"{who} names {name!r}, which exists already")
            if not self._masks[number] >> decider & 1:
                raise BranchingError(f"{who} names {name!r}, which does not depend on it")
            chosen.add(number)
        return frozenset(chosen)

    def behind(self, name: str) -> list[str]:
        """The steps that depend on this one, directly or not."""
        return self._behind(self._numbers[name])

    def _behind(self, decider: int) -> list[str]:
        return [
            step.name
            for number, step in enumerate(self._steps)
            if step is not None and self._masks[number] >> decider & 1
        ]

    def _world(self, standing: Standing) -> _World:
        places = {number: [number] for number, at in enumerate(self._initial) if at and number}
        for number, name in standing.made:
            places.setdefault(self._numbers[name], []).append(number)
        return _World(places, {})

    # -- what comes to be -------------------------------------------------------------------------

    def _make(
        self, decider: int, chosen: frozenset[int], batches: Batches | None, world: _World
    ) -> list[tuple[int, int, str, Raw | None]]:
        """(number, template's number, name, inputs) of each new step; the world has them, too."""
        rows: list[tuple[int, int, str, Raw | None]] = []
        if batches is not None:
            rows += self._workers(decider, batches, world)
        for number in range(1, len(self._steps)):
            if not world.has(number) and self._comes(number, chosen, world):
                world.places[number] = world.fresh[number] = [number]
                rows.append((number, number, self._step(number).name, None))
        for number in chosen:
            if not world.has(number):
                raise self._unreachable(decider, number, world)
        return rows

    def _workers(
        self, decider: int, batches: Batches, world: _World
    ) -> list[tuple[int, int, str, Raw | None]]:
        who = f"the batchable step {self._step(decider).name!r}"
        number = self._numbers.get(batches.worker)
        if number is None:
            raise unknown_step(batches.worker, self._behind(decider), who)
        step = self._step(number)
        if step.type != "batch_worker" or decider not in self._parents[number]:
            raise BranchingError(f"{who} names {step.name!r}, which is no batch_worker behind it")
        if world.has(number):
            raise BranchingError(f"{who} names {step.name!r}, whose batches exist already")
        first = max(
            len(self._steps) - 1, *(no for places in world.places.values() for no in places)
        )
        rows: list[tuple[int, int, str, Raw | None]] = []
        for offset, batch in enumerate(batches.batches, 1):
            name = f"{step.name}_{batch.batch_id}"
            if len(name) > _LONGEST_NAME or name in self._numbers:
                raise BranchingError(f"{who}: {name[:80]!r} cannot be the name of a batch's step")
            rows.append((first + offset, number, name, batch.inputs))
        world.places[number] = world.fresh[number] = [row[0] for row in rows]
        return rows

    def _comes(self, number: int, chosen: frozenset[int], world: _World) -> bool:
        step, above = self._step(number), self._parents[number]
        if step.type == "batch_worker":
            return False
        if step.type == "deferred_convergence":
            return number in chosen or any(
                world.has(parent) and not self._initial[parent] for parent in above
            )
        if any(self._step(parent).type == "decision" for parent in above) and number not in chosen:
            return False
        return all(world.has(parent) for parent in above)

    def _unreachable(self, decider: int, number: int, world: _World) -> BranchingError:
        missing = [self._step(p).name for p in self._parents[number] if not world.has(p)]
        return BranchingError(
            f"the decision {self._step(decider).name!r} names {self._step(number).name!r}, which "
            f"waits for {', '.join(missing)}: name that, too"
        )

    # -- how it hangs together --------------------------------------------------------------------

    def _wired(
        self,
        decider: int,
        rows: list[tuple[int, int, str, Raw | None]],
        world: _World,
        standing: Standing,
    ) -> Growth:
        decided = {*standing.decided, decider}
        fresh = {number for numbers in world.fresh.values() for number in numbers}
        parents = {
            number: self._parents_of(template_no, decider, decided, world)
            for number, template_no, _, _ in rows
        }
        late_edges = self._late_edges(decided, world)
        reach = self._reach(world.places)
        edges = [(above, no) for no, all_above in parents.items() for above in all_above]
        children = _children_of(fresh, [*edges, *late_edges])
        steps = [
            NewStep(
                no=number,
                name=name,
                parents=parents[number],
                children=children[number],
                ancestors=_numbers_at(reach[template_no], world.places),
                template_step=None if number == template_no else self._step(template_no).name,
                inputs=inputs,
            )
            for number, template_no, name, inputs in rows
        ]
        return Growth(
            growths=standing.growths,
            steps=steps,
            edges=[edge for edge in edges if edge[0] not in fresh],
            late_edges=late_edges,
            widened=self._widened(world, reach),
        )

    def _parents_of(self, number: int, decider: int, decided: set[int], world: _World) -> list[int]:
        """The numbers of what a new step waits for: a convergence, for the deciding step as well
        whose end makes it, so that no convergence comes to be with nothing to wait for."""
        found = {no for above in self._parents[number] for no in world.places.get(above, ())}
        if self._step(number).type == "deferred_convergence":
            found |= {decider, *self._open_deciders(number, decided, world)}
        return sorted(found)

    def _open_deciders(self, number: int, decided: set[int], world: _World) -> list[int]:
        """Deciding steps that exist, have not ended, and may make something it would wait for."""
        mask = 0
        for above in self._parents[number]:
            if not world.has(above):
                mask |= self._masks[above]
        return [
            no
            for above in numbers_in(mask)
            if self._step(above).type in _DECIDING and above not in decided
            for no in world.places.get(above, ())
        ]

    def _late_edges(self, decided: set[int], world: _World) -> list[tuple[int, int]]:
        """From what is new to the convergences that exist already and may wait for it."""
        edges = []
        for number, (place, *_) in world.places.items():
            step = self._step(number)
            if step.type != "deferred_convergence" or number in world.fresh:
                continue
            direct = {no for above in self._parents[number] for no in world.fresh.get(above, ())}
            fresh = {no for numbers in world.fresh.values() for no in numbers}
            more = {no for no in self._open_deciders(number, decided, world) if no in fresh}
            edges += [(above, place) for above in sorted(direct | more)]
        return edges

    def _reach(self, places: Mapping[int, list[int]]) -> list[int]:
        """By template number, bit n set where step n comes before it by way of steps that exist. A
        convergence has waited for every deciding step before it, whatever came of that."""
        reach = [0] * len(self._steps)
        for number in sorted(places):
            above = self._parents[number]
            if self._step(number).type == "deferred_convergence":
                deciding = (n for n in numbers_in(self._masks[number]) if self._is_deciding(n))
                above = [*above, *deciding]
            for parent in above:
                if parent in places:
                    reach[number] |= reach[parent] | 1 << parent
        return reach

    def _widened(self, world: _World, reach: list[int]) -> list[tuple[int, list[int]]]:
        """Existing steps that have more before them now: the results of those are theirs to see."""
        if not world.fresh:
            return []
        old = {n: places for n, places in world.places.items() if n not in world.fresh}
        before = self._reach(old)
        widened = []
        for number, places in old.items():
            if extra := _numbers_at(reach[number] & ~before[number], world.places):
                widened += [(place, extra) for place in places]
        return widened

    def _is_deciding(self, number: int) -> bool:
        return self._step(number).type in _DECIDING

    def _step(self, number: int) -> StepDefinition:
        step = self._steps[number]
        assert step is not None
        return step


def _numbers_at(mask: int, places: Mapping[int, list[int]]) -> list[int]:
    return sorted(no for number in numbers_in(mask) for no in places[number])


def _children_of(fresh: Iterable[int], edges: Iterable[tuple[int, int]]) -> dict[int, list[int]]:
    children: dict[int, list[int]] = {number: [] for number in fresh}
    for above, below in edges:
        if above in children:
            children[above].append(below)
    return {number: sorted(below) for number, below in children.items()}


def read_standing(stored: bytes) -> Standing:
    """What tasker.standing_of said of a task."""
    return msgspec.json.decode(stored, type=Standing)
