"""Tasks whose steps come to be at run time, played through by the rules of the tables alone."""

from typing import Any, NamedTuple

import msgspec

from tasker_mp.template.growth import GrowingTemplate, Growth, Standing
from tasker_mp.template.model import (
    BatchConfig,
    HandlerDefinition,
    StepDefinition,
    StepType,
    Template,
)
from tasker_mp.template.plan import plan


def template(
    dependencies: dict[str, list[str]],
    types: dict[str, StepType] | None = None,
    batch: dict[str, BatchConfig] | None = None,
) -> Template:
    steps = tuple(
        StepDefinition(
            name=name,
            handler=HandlerDefinition("handlers.none"),
            type=(types or {}).get(name, "standard"),
            dependencies=tuple(parents),
            batch_config=(batch or {}).get(name),
        )
        for name, parents in dependencies.items()
    )
    return Template("growing", "grows", "1.0.0", steps)


def decision(*names: str) -> bytes:
    kind = "create_steps" if names else "no_branches"
    outcome = {"type": kind, "step_names": list(names)}
    return msgspec.json.encode({"decision_point_outcome": outcome})


def batches(worker: str, *ranges: tuple[int, int]) -> bytes:
    cursors = [
        {"batch_id": f"{i:03}", "start_cursor": a, "end_cursor": b, "batch_size": b - a}
        for i, (a, b) in enumerate(ranges, 1)
    ]
    outcome: dict[str, Any] = {"type": "no_batches"}
    if ranges:
        outcome = {
            "type": "create_batches",
            "worker_template_name": worker,
            "worker_count": len(ranges),
            "cursor_configs": cursors,
            "total_items": ranges[-1][1],
        }
    return msgspec.json.encode({"batch_processing_outcome": outcome})


class Row(NamedTuple):
    name: str
    template_step: str
    waiting_on: int
    children: list[int]
    ancestors: list[int]
    done: bool = False


class Play:
    """The rows of one task, changed as the SQL does."""

    def __init__(self, of: Template) -> None:
        self.growing = GrowingTemplate(of, 1000)
        self.standing = Standing()
        self.rows = {
            step.step_no: Row(step.name, step.name, step.parents, step.children, step.ancestors)
            for step in plan(of)
            if step.initial
        }
        self.order: list[str] = []

    def number(self, name: str) -> int:
        return next(no for no, row in self.rows.items() if row.name == name)

    def ready(self) -> list[str]:
        return [row.name for row in self.rows.values() if not row.waiting_on and not row.done]

    def waits(self, name: str) -> int:
        return self.rows[self.number(name)].waiting_on

    def finish(self, name: str, result: bytes = b"{}") -> None:
        number = self.number(name)
        row = self.rows[number]
        assert not row.waiting_on, name
        assert not row.done, name
        if self.growing.decides(row.template_step):
            self._grow(self.growing.grow(row.template_step, result, self.standing), number)
        row = self.rows[number]
        self.rows[number] = row._replace(done=True)
        self.order.append(name)
        for child in row.children:
            below = self.rows[child]
            assert below.waiting_on > 0, below
            self.rows[child] = below._replace(waiting_on=below.waiting_on - 1)

    def _grow(self, growth: Growth, decider: int) -> None:
        assert growth.growths == self.standing.growths
        for above, below in growth.edges:
            row = self.rows[above]
            assert below not in row.children
            self.rows[above] = row._replace(children=[*row.children, below])
        made = []
        for step in growth.steps:
            assert step.no not in self.rows
            open_parents = [p for p in step.parents if p not in self.rows or not self.rows[p].done]
            made.append((step, len(open_parents)))
        for step, waiting_on in made:
            of = step.template_step or step.name
            self.rows[step.no] = Row(step.name, of, waiting_on, step.children, step.ancestors)
        for _, below in growth.late_edges:
            row = self.rows[below]
            assert not row.done
            self.rows[below] = row._replace(waiting_on=row.waiting_on + 1)
        for number, extra in growth.widened:
            row = self.rows[number]
            assert not set(extra) & set(row.ancestors)
            self.rows[number] = row._replace(ancestors=[*row.ancestors, *extra])
        self.standing = Standing(
            self.standing.growths + 1,
            (*self.standing.decided, decider),
            (
                *self.standing.made,
                *((step.no, step.template_step or step.name) for step in growth.steps),
            ),
        )
