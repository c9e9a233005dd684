"""A database and its model side by side: what is done to one is done to both, and compared."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest
from dags import ALL, NAMESPACE, submission
from dags import QUEUES as QUEUE_NAMES
from psycopg import AsyncConnection

from tasker_mp.claimed_step import ClaimedStep
from tasker_mp.client import Client
from tasker_mp.config import Config
from tasker_mp.config.model import StepsConfig
from tasker_mp.db.connect import connect, connect_async
from tasker_mp.errors import IllegalTransitionError
from tasker_mp.identity import step_uuid
from tasker_mp.inflight import Entry
from tasker_mp.template.model import StepDefinition, Template

from .dag_strategies import MOMENT
from .workflow_model import RefusedError, WorkflowModel
from .workflow_rows import BY_HAND, WorkflowRows
from .workflow_supervisor import (
    Supervisor,
    claim_of,
    entry_of,
    events_of,
    key_of,
    result_of,
    settled,
)
from .workflow_task import MOVING, Fate, Key, Result, Step, Task

LEASE = MOMENT * 0.9
_CONFIG = Config(environment="test", root=Path("/nonexistent"), steps=StepsConfig(lease=LEASE))


class WorkflowWorld:
    """Each method does one thing to the database and to the model. `check` compares all rows."""

    def __init__(
        self,
        runner: asyncio.Runner,
        connection: AsyncConnection[Any],
        client: Client,
        rows: WorkflowRows,
    ) -> None:
        self._run = runner.run
        self._connection = connection
        self._client = client
        self._rows = rows
        self.begin()

    @classmethod
    @contextmanager
    def opened(cls, database: str) -> Iterator["WorkflowWorld"]:
        with (
            asyncio.Runner() as runner,
            Client(database, config=_CONFIG) as client,
            connect(database) as looking,
        ):
            connection = runner.run(connect_async(database))
            try:
                yield cls(runner, connection, client, WorkflowRows(looking))
            finally:
                runner.run(connection.close())

    def begin(self) -> None:
        """Everything anew, in the same database."""
        self._rows.empty()
        self.model = WorkflowModel(LEASE)
        self.definitions: dict[Key, StepDefinition] = {}
        self.numbers: dict[UUID, dict[str, int]] = {}
        self.serving: list[Supervisor] = []
        self.dead: list[Supervisor] = []
        self.handed: list[Entry] = []
        """Every event that anybody ever got."""

    def check(self) -> None:
        self._rows.compare(self.model)

    # -- the flow of steps --------------------------------------------------------------------

    def submit(self, template: Template, priority: int = 0) -> UUID:
        self._client.register(template)
        [uuid] = self._client.submit_many([submission(priority=priority)])
        steps = {step.name: Step(step.dependencies, step.retry) for step in template.steps}
        self.model.submit(uuid, Task(priority, steps))
        self.definitions |= {(uuid, step.name): step for step in template.steps}
        self.numbers[uuid] = self._rows.numbers(uuid)
        return uuid

    def claim(self, supervisor: Supervisor, capacity: int, *, lost: bool = False) -> None:
        """Where the answer is lost, the supervisor does not know what it has."""
        got = self._run(supervisor.store.claim_steps(QUEUE_NAMES, capacity))
        left = [key for _, key in self._rows.messages()]
        self.model.claim(supervisor.owner, capacity, events_of(got), claim_of(got), left)
        self._hand(supervisor, got, lost)

    def finish(
        self,
        supervisor: Supervisor,
        fates: Sequence[Fate] = (Fate.COMPLETE,) * ALL,
        *,
        capacity: int = 0,
        late: Sequence[Entry] = (),
        lost: bool = False,
    ) -> None:
        """Ends the first of what it holds, and what it sends `late` as complete.

        Where the answer is lost, the supervisor goes on believing that it has all of it.
        """
        ends = dict(zip(supervisor.table.entries(), fates, strict=False))
        held = {entry.event_id for entry in ends}
        ends |= {entry: Fate.COMPLETE for entry in late if entry.event_id not in held}
        batch = [settled(entry, fate) for entry, fate in ends.items()]
        answer = self._run(supervisor.store.finish_steps(batch, capacity, supervisor.released))
        stale, ended = self.model.finish(
            supervisor.owner,
            [Result(key_of(e), e.event_id, fate, result_of(e)) for e, fate in ends.items()],
            capacity,
            events_of(answer.continued),
            claim_of(answer.continued),
        )
        assert set(answer.stale) == stale
        assert sorted(answer.ended) == sorted((uuid.bytes, state) for uuid, state in ended.items())
        self.model.release(supervisor.released)
        self._hand(supervisor, answer.continued, lost)
        if not lost:
            supervisor.released.clear()
            supervisor.forget(list(ends))

    def superseded(self) -> list[Entry]:
        """Events of steps that are in progress again, under another event."""
        running = set(self.model.keys("in_progress"))
        mine = [entry for entry in self.handed if key_of(entry) in running]
        return [e for e in mine if self.model.step(key_of(e)).event != e.event_id]

    def adopt(self, supervisor: Supervisor) -> None:
        """It takes over what the database says it holds."""
        held = self._run(supervisor.store.held_steps())
        assert sorted(map(key_of, held)) == sorted(self.model.held(supervisor.owner))
        for step in held:
            assert self.model.claims[step.claim_id][0] == supervisor.owner
            assert key_of(step) in self.model.claims[step.claim_id][1]
        self._hand(supervisor, [s for s in held if not supervisor.table.knows(s.event_id)], False)

    def give_back(self, supervisor: Supervisor, count: int) -> None:
        """What no worker of it has started."""
        entries = list(supervisor.table.entries())[:count]
        steps = [(entry.task, entry.step_no) for entry in entries]
        returned = self.model.give_back(supervisor.owner, [key_of(entry) for entry in entries])
        assert self._run(supervisor.store.give_back(steps, "drained")) == returned
        supervisor.forget(entries)

    def promote(self) -> None:
        supervisor = Supervisor(self._connection)
        promoted, next_due = self._run(supervisor.store.promote_due())
        expected, due_in = self.model.promote()
        assert promoted == expected
        assert (next_due is None) == (due_in is None)
        if next_due is not None and due_in is not None:
            assert 0 <= due_in - next_due < MOMENT

    def pass_time(self, moments: int) -> None:
        self._rows.pass_time(moments * MOMENT)
        self.model.pass_time(moments * MOMENT)

    def _hand(self, supervisor: Supervisor, steps: list[ClaimedStep], lost: bool) -> None:
        """Checks what the handler would get."""
        for step in steps:
            uuid, name = key = key_of(step)
            modelled = self.model.step(key)
            assert (step.event_id, step.attempt) == (modelled.event, modelled.attempts)
            assert step.crashes == modelled.crashes
            inputs = msgspec.json.decode(step.dependencies)
            assert inputs == self.model.tasks[uuid].inputs(name), f"inputs of {name}"
            if step.results > 0:  # out of what the supervisor had
                assert step[:13] == self._run(supervisor.store.hydrate_step(step))[:13]
            entry = entry_of(step, self.definitions[key])
            self.handed.append(entry)
            if not lost:
                supervisor.table.add(entry)

    # -- supervisors --------------------------------------------------------------------------

    def join(self, predecessor: Supervisor | None = None) -> Supervisor:
        supervisor = Supervisor(self._connection)
        before = predecessor and predecessor.owner
        recovered = self._run(
            supervisor.store.register_supervisor("me", "here", 1, [NAMESPACE], before)
        )
        assert recovered == self.model.register(supervisor.owner, before)
        self.serving.append(supervisor)
        return supervisor

    def heartbeat(self, supervisor: Supervisor) -> None:
        recovered = self._run(supervisor.store.heartbeat(LEASE))
        assert recovered == self.model.heartbeat(supervisor.owner)

    def fall_silent(self, supervisor: Supervisor) -> None:
        """It stands still for longer than its lease."""
        self._rows.pass_time(MOMENT, supervisor.owner)
        if supervisor.owner in self.model.silent:
            self.model.silent[supervisor.owner] += MOMENT

    def die(self, supervisor: Supervisor) -> None:
        self.serving.remove(supervisor)
        self.dead.append(supervisor)

    def leave(self, supervisor: Supervisor) -> None:
        self.die(supervisor)
        recovered = self._run(supervisor.store.recover_owner())
        assert recovered == self.model.leave(supervisor.owner)

    # -- repair by hand -----------------------------------------------------------------------

    def cancel(self, task: UUID) -> None:
        self._repair(
            lambda: self.model.end_task(task, "cancelled"),
            lambda: self._client.cancel_task(task, by=BY_HAND),
        )

    def resolve(self, task: UUID) -> None:
        self._repair(
            lambda: self.model.end_task(task, "resolved_manually"),
            lambda: self._client.resolve_task(task, reason="done by phone", by=BY_HAND),
        )

    def retry(self, task: UUID) -> None:
        self._repair(
            lambda: self.model.retry(task, None),
            lambda: self._client.retry_task(task, by=BY_HAND),
        )

    def retry_step(self, key: Key) -> None:
        self._repair(
            lambda: self.model.retry(*key),
            lambda: self._client.retry_step(self._uuid(key), by=BY_HAND),
        )

    def resolve_step(self, key: Key) -> None:
        self._repair(
            lambda: self.model.resolve(*key, None),
            lambda: self._client.resolve_step(self._uuid(key), reason="not needed", by=BY_HAND),
        )

    def complete_step(self, key: Key) -> None:
        value = {"by hand": key[1]}
        self._repair(
            lambda: self.model.resolve(*key, value),
            lambda: self._client.complete_step(
                self._uuid(key), value, reason="asked them", by=BY_HAND
            ),
        )

    def explain(self, task: UUID) -> None:
        found = self._client.explain(task).steps
        said = {step.step: step.reason.value for step in found}
        expected = self.model.why(task)
        assert said == expected, [(n, said.get(n), expected.get(n)) for n in said | expected]

    def _uuid(self, key: Key) -> UUID:
        return step_uuid(key[0], self.numbers[key[0]][key[1]])

    @staticmethod
    def _repair(modelled: Callable[[], None], asked: Callable[[], object]) -> None:
        """What the rules forbid is refused; that nothing has changed then, the rows tell."""
        try:
            modelled()
        except RefusedError:
            with pytest.raises(IllegalTransitionError):
                asked()
        else:
            asked()

    # -- the end ------------------------------------------------------------------------------

    def drive_to_the_end(self) -> None:
        """No more faults: one supervisor that outlives the others completes whatever can move."""
        for uuid in self.model.tasks:
            self.explain(uuid)
        expected = {uuid: task.end() for uuid, task in self.model.tasks.items()}
        self.pass_time(10)
        last = self.join()
        self.heartbeat(last)
        while self.model.keys(*MOVING):
            before = self.model.changes()
            self.promote()
            self.claim(last, ALL)
            self.finish(last, capacity=ALL)
            assert self.model.changes() > before, "work is left, and nothing moves"
        self.claim(last, ALL)  # messages of what ended by hand
        self.finish(last)
        self.check()
        for uuid, (state, steps) in expected.items():
            task = self.model.tasks[uuid]
            assert task.state == state
            assert {name: step.state for name, step in task.steps.items()} == steps
        assert not self.model.claims
        assert not self._rows.messages()
