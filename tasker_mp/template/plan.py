"""The numbered steps of a template: what a submit creates, and what each finish unlocks."""

from functools import reduce
from itertools import compress
from operator import or_
from typing import NamedTuple

from msgspec import Struct

from tasker_mp.errors import TemplateError
from tasker_mp.template.dag import find_cycles, topological_order
from tasker_mp.template.model import StepDefinition, Template

_TO_BITS = bytes.maketrans(b"01", b"\x00\x01")


def numbers_in(mask: int) -> list[int]:
    """The numbers of the bits that are set, ascending."""
    digits = bin(mask)[:1:-1].encode()
    return list(compress(range(len(digits)), digits.translate(_TO_BITS)))


class PlannedStep(Struct, frozen=True):
    """A step with its number (from 1, above those of all its parents) and its place in the DAG.

    `initial` is False where only a decision or a batch creates the step, at run time. The children
    of an initial step are initial ones, since no others exist when it starts; a step created later
    lists all that the template puts behind it.

    `parents` counts the steps whose `children` it is among. A parent that another parent waits for
    is not one of them but `implied`: it has ended before that one starts, so nobody need count it.
    """

    step_no: int
    name: str
    children: list[int]
    parents: int
    implied: list[int]
    initial: bool
    ancestor_mask: int

    @property
    def ancestors(self) -> list[int]:
        """The numbers of everything before this step, ascending.

        Expanded on demand: the lists of a chain of 10,000 steps together hold 50 million numbers,
        their bit masks 6 MB.
        """
        return numbers_in(self.ancestor_mask)


class Outline(NamedTuple):
    """The steps of a template in topological order, in file order where the DAG leaves a choice.

    By step number, from 1 (so place 0 is unused): `steps`; `parents`, ascending; `initial`, whether
    the submit creates the step; `masks`, bit n set where step n comes before it.
    """

    steps: list[StepDefinition | None]
    parents: list[list[int]]
    initial: list[bool]
    masks: list[int]


def outline(template: Template) -> Outline:
    """`TemplateError` where the steps have no order."""
    definitions = _ordered(template)
    numbers = {step.name: number for number, step in enumerate(definitions, 1)}
    parents = [[], *(sorted({numbers[name] for name in s.dependencies}) for s in definitions)]
    return Outline(
        [None, *definitions], parents, _initial(definitions, parents), _ancestor_masks(parents)
    )


def plan(template: Template) -> list[PlannedStep]:
    """Every step of the template in topological order; `TemplateError` where there is none."""
    steps, named, initial, masks = outline(template)
    # Where steps come to be at run time, growth adds edges to these, and counts all of them.
    static = all(step.type == "standard" for step in template.steps)
    implied = [_implied(above, masks) if static else [] for above in named]
    parents = [_without(*pair) for pair in zip(named, implied, strict=True)]
    children = _children(parents, initial)
    return [
        PlannedStep(
            step_no=number,
            name=step.name,
            children=children[number],
            parents=len(parents[number]),
            implied=implied[number],
            initial=initial[number],
            ancestor_mask=masks[number],
        )
        for number, step in enumerate(steps)
        if step is not None
    ]


def _ordered(template: Template) -> list[StepDefinition]:
    by_name = {step.name: step for step in template.steps}
    dependencies = {step.name: step.dependencies for step in template.steps}
    for step in template.steps:
        for name in step.dependencies:
            if name not in by_name:
                raise TemplateError(f"{template.key}: {step.name} depends on unknown step {name}")
    order = topological_order(dependencies)
    if len(order) < len(template.steps):
        cycle = next(iter(find_cycles(dependencies)), ["a step is defined twice"])
        raise TemplateError(f"{template.key} cannot be ordered: {' → '.join(cycle)}")
    return [by_name[name] for name in order]


def _initial(definitions: list[StepDefinition], parents: list[list[int]]) -> list[bool]:
    """By step number: created by the submit, because nothing before it decides at run time."""
    initial = [True]
    for step, above in zip(definitions, parents[1:], strict=True):
        undecided = any(
            definitions[number - 1].type == "decision" or not initial[number] for number in above
        )
        initial.append(step.type != "batch_worker" and not undecided)
    return initial


def _children(parents: list[list[int]], initial: list[bool]) -> list[list[int]]:
    children: list[list[int]] = [[] for _ in initial]
    for number, above in enumerate(parents):
        for parent in above:
            if initial[number] or not initial[parent]:
                children[parent].append(number)
    return children


def _implied(above: list[int], masks: list[int]) -> list[int]:
    """Those of the parents that come before another one of them."""
    if len(above) < 2:
        return []
    before = reduce(or_, (masks[parent] for parent in above))
    return [parent for parent in above if before >> parent & 1]


def _without(above: list[int], implied: list[int]) -> list[int]:
    return sorted(set(above).difference(implied)) if implied else above


def _ancestor_masks(parents: list[list[int]]) -> list[int]:
    """By step number, bit n set where step n comes before it: unions as wide integers, in C."""
    masks: list[int] = []
    for above in parents:
        mask = 0
        for parent in above:
            mask |= masks[parent] | 1 << parent
        masks.append(mask)
    return masks
