"""The rows of one task's steps, changed by the rules that the database has for them."""

from typing import Any

import msgspec
from msgspec import Struct

from tasker_mp.states import SATISFYING_STEP_STATES, StepState, TaskState, check_step_transition
from tasker_mp.template.growth import Growth, Standing
from tasker_mp.template.model import Template
from tasker_mp.template.plan import plan

_NOT_BEGUN = (StepState.PENDING, StepState.ENQUEUED, StepState.WAITING_FOR_RETRY)


class Row(Struct, eq=False):
    """A step; what it carries is JSON as it is stored. Times are the fake clock's, in seconds."""

    step_no: int
    name: str
    template_step: str
    waiting_on: int
    children: list[int]
    ancestors: list[int]
    inputs: bytes | None = None
    state: StepState = StepState.PENDING
    attempts: int = 0
    checkpoint: bytes | None = None
    result: bytes | None = None
    metadata: bytes = b"null"
    error: bytes | None = None
    delays: list[float] = []
    enqueued_at: float | None = None
    claimed_at: float | None = None
    finished_at: float | None = None
    due_at: float | None = None

    def become(self, state: StepState) -> None:
        self.state = check_step_transition(self.state, state)

    @property
    def extra(self) -> bytes | None:
        """What only a batch's step has, or one that goes on: as the claim tells it."""
        if self.inputs is None and self.checkpoint is None:
            return None
        # Integers of any size stay exact: what is JSON already is not decoded.
        raw = {"inputs": self.inputs, "checkpoint": self.checkpoint}
        extra = {"template_step": self.template_step} | {
            name: msgspec.Raw(value or b"null") for name, value in raw.items()
        }
        return msgspec.json.encode(extra)

    @property
    def strategy(self) -> str | None:
        """What becomes of the others when this batch fails for good; None for any other step."""
        if self.inputs is None:
            return None
        inputs: dict[str, Any] = msgspec.json.decode(self.inputs)
        strategy: str | None = inputs["batch_metadata"].get("failure_strategy")
        return strategy

    @property
    def lets_through(self) -> bool:
        """Whether the children may run as far as this step is concerned."""
        if self.state in SATISFYING_STEP_STATES:
            return True
        return self.state == StepState.ERROR and self.strategy == "continue_on_failure"


class Rows:
    """All steps of one task, by number; those that come to be at run time too."""

    def __init__(self, template: Template) -> None:
        self._growths = 0
        self._by_no = {
            step.step_no: Row(
                step.step_no, step.name, step.name, step.parents, step.children, step.ancestors
            )
            for step in plan(template)
            if step.initial
        }
        self._initial = frozenset(self._by_no)

    def __getitem__(self, step_no: int) -> Row:
        return self._by_no[step_no]

    @property
    def all(self) -> list[Row]:
        """By number."""
        return [row for _, row in sorted(self._by_no.items())]

    @property
    def standing(self) -> Standing:
        """What has become of the task, for `GrowingTemplate.grow`."""
        return Standing(
            self._growths,
            tuple(row.step_no for row in self.all if row.state in SATISFYING_STEP_STATES),
            tuple(
                (row.step_no, row.template_step)
                for row in self.all
                if row.step_no not in self._initial
            ),
        )

    def roots(self) -> list[Row]:
        """What is ready from the start."""
        return [row for row in self.all if not row.waiting_on]

    def dependencies(self, row: Row) -> bytes:
        """The results of all finished ancestors, by name, as JSON; nothing is parsed."""
        members = [
            msgspec.json.encode(above.name) + b":" + above.result
            for above in (self._by_no[no] for no in sorted(row.ancestors))
            if above.state in SATISFYING_STEP_STATES and above.result is not None
        ]
        return b"{" + b",".join(members) + b"}"

    def end(self, row: Row, state: StepState, growth: Growth | None = None) -> list[Row]:
        """The step ends as complete or in error; what is ready now, by number."""
        if growth is not None:
            self._grow(growth)
        row.become(state)
        if state == StepState.ERROR and row.strategy == "fail_fast":
            self._halt(row)
        return self._unlocked(row) if row.lets_through else []

    @property
    def task_state(self) -> TaskState:
        """Of a task in which nothing can move any more."""
        sinks = (row for row in self.all if not row.children)
        return TaskState.COMPLETE if all(row.lets_through for row in sinks) else TaskState.ERROR

    def _unlocked(self, row: Row) -> list[Row]:
        ready = []
        for child in sorted(row.children):
            below = self._by_no[child]
            below.waiting_on -= 1
            if not below.waiting_on and below.state == StepState.PENDING:
                ready.append(below)
        return ready

    def _halt(self, failed: Row) -> None:
        """End what has not begun of the failed batch's siblings."""
        for row in self.all:
            if row.template_step == failed.template_step and row.state in _NOT_BEGUN:
                row.become(StepState.CANCELLED)
                row.due_at = None

    def _grow(self, growth: Growth) -> None:
        """Add the steps that come to be, with their edges, before the step that makes them ends."""
        self._growths += 1
        for above, below in growth.edges:
            self._by_no[above].children = [*self._by_no[above].children, below]
        made = [
            Row(
                step.no,
                step.name,
                step.template_step or step.name,
                sum(not self._is_satisfied(parent) for parent in step.parents),
                list(step.children),
                list(step.ancestors),
                None if step.inputs is None else bytes(step.inputs),
            )
            for step in growth.steps
        ]
        self._by_no |= {row.step_no: row for row in made}
        for _, below in growth.late_edges:
            self._by_no[below].waiting_on += 1
        for number, extra in growth.widened:
            self._by_no[number].ancestors = [*self._by_no[number].ancestors, *extra]

    def _is_satisfied(self, step_no: int) -> bool:
        """One that comes to be together with its child is not there yet."""
        row = self._by_no.get(step_no)
        return row is not None and row.lets_through
