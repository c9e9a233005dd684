"""What the database should hold, as dictionaries: the rules of flow, queues, leases and repair.

Written from the rules and not from the SQL. What the database is free to choose (which of the ready
steps a claim or a finish hands out) is taken from its answer, once it is among the choices.
"""

from collections.abc import Collection, Iterable, Mapping
from uuid import UUID

from .workflow_task import FINAL, REVIVABLE, Fate, Key, Result, Step, Task

QUEUES = (1, 0, -1)
"""The signs of the priorities, in the order in which their queues are claimed from."""


class RefusedError(Exception):
    """The rules do not allow it now: nothing changes."""


class WorkflowModel:
    """All tasks, the messages of each queue, what each claim names, and who is how long silent."""

    def __init__(self, lease: float) -> None:
        self.lease = lease
        self.tasks: dict[UUID, Task] = {}
        self.queues: dict[int, list[list[Key]]] = {queue: [] for queue in QUEUES}
        """First in, first out by the batch; among the messages of one batch there is no order."""
        self.claims: dict[int, tuple[UUID, set[Key]]] = {}
        self.silent: dict[UUID, float] = {}
        """Seconds since the last heartbeat of every supervisor on record."""

    def step(self, key: Key) -> Step:
        return self.tasks[key[0]].steps[key[1]]

    def keys(self, *states: str) -> list[Key]:
        return [
            (uuid, name)
            for uuid, task in self.tasks.items()
            for name, step in task.steps.items()
            if step.state in states
        ]

    def changes(self) -> int:
        """How many transitions there have been."""
        return sum(len(s.path) for task in self.tasks.values() for s in task.steps.values())

    # -- the flow of steps --------------------------------------------------------------------

    def submit(self, uuid: UUID, task: Task) -> None:
        self.tasks[uuid] = task
        roots = [(uuid, name) for name, step in task.steps.items() if not step.parents]
        for key in roots:
            self.step(key).move("enqueued")
        self._send(roots)

    def claim(
        self, owner: UUID, capacity: int, got: Mapping[Key, bytes], claim_id: int, left: list[Key]
    ) -> None:
        """`left`: the messages afterwards. High ones go first, in each queue the earliest first."""
        ready = set(self.keys("enqueued"))
        assert set(got) <= ready, "only what is ready is claimed"
        assert len(got) <= capacity, "no more than there is room for"
        gone = {key for batches in self.queues.values() for batch in batches for key in batch}
        gone -= set(left)
        assert gone & ready == set(got), "messages of ready steps stay until they are claimed"
        dropped = len(gone) - len(got)
        # It drops messages of what ended by hand, and in bounded time: it may stop behind 25.
        if dropped < 25:
            in_order = [batch for queue in QUEUES for batch in self.queues[queue]]
            passed = [set(batch) & set(left) for batch in in_order]
            touched = [number for number, batch in enumerate(in_order) if gone & set(batch)]
            first = max(touched, default=0)
            assert not any(passed[:first]), f"nobody is passed over ({dropped} were dropped)"
            assert len(got) == min(capacity, len(ready)), "all that there is room for"
        for batches in self.queues.values():
            kept = [[key for key in batch if key not in gone] for batch in batches]
            batches[:] = [batch for batch in kept if batch]
        self._start(owner, got, claim_id)

    def _start(self, owner: UUID, got: Mapping[Key, bytes], claim_id: int) -> None:
        for key, event in got.items():
            self.step(key).start(event, owner)
            task = self.tasks[key[0]]
            task.state = "in_progress" if task.state == "pending" else task.state
        if got:
            self.claims[claim_id] = (owner, set(got))

    def finish(
        self,
        owner: UUID,
        results: Collection[Result],
        capacity: int,
        continued: Mapping[Key, bytes],
        claim_id: int,
    ) -> tuple[set[bytes], dict[UUID, str]]:
        """The events refused, and the tasks that ended."""
        accepted = [result for result in results if self._is_current(result)]
        for result in accepted:
            self.step(result.key).end(result)
        tasks = {result.key[0] for result in accepted}
        done = [result.key for result in accepted if result.fate is Fate.COMPLETE]
        ready = [
            (uuid, name)
            for uuid in tasks
            for name in self.tasks[uuid].ready_behind(name for task, name in done if task == uuid)
        ]
        assert set(continued) <= set(ready), "only what this batch made ready is continued"
        assert len(continued) == min(capacity, len(ready)), "all that there is room for"
        for key in ready:
            self.step(key).move("enqueued")
        self._start(owner, continued, claim_id)
        self._send([key for key in ready if key not in continued])
        ended = {uuid: self.tasks[uuid].state for uuid in tasks if self.tasks[uuid].settle()}
        return {r.event for r in results} - {r.event for r in accepted}, ended

    def _is_current(self, result: Result) -> bool:
        step = self.step(result.key)
        return step.state == "in_progress" and step.event == result.event

    def release(self, claims: Iterable[int]) -> None:
        for claim_id in claims:
            self.claims.pop(claim_id, None)

    def promote(self) -> tuple[int, float | None]:
        """How many were due, and in how many seconds the next one is."""
        waiting = self.keys("waiting_for_retry")
        due = [key for key in waiting if (self.step(key).due_in or 0) <= 0]
        for key in due:
            self.step(key).due_in = None
            self.step(key).move("enqueued")
        self._send(due)
        left = [self.step(key).due_in or 0 for key in waiting if key not in due]
        return len(due), min(left, default=None)

    def _send(self, keys: list[Key]) -> None:
        for queue, batches in self.queues.items():
            if batch := [key for key in keys if self.tasks[key[0]].queue == queue]:
                batches.append(batch)

    # -- leases -------------------------------------------------------------------------------

    def held(self, owner: UUID) -> list[Key]:
        return [key for key in self.keys("in_progress") if self.step(key).owner == owner]

    def give_back(self, owner: UUID, keys: Collection[Key]) -> int:
        """Uncharged, and only what the owner still has."""
        return self._give_back([key for key in self.held(owner) if key in keys])

    def _give_back(self, keys: list[Key]) -> int:
        for key in keys:
            self.step(key).give_back()
        self._send(keys)
        return len(keys)

    def alive(self, owner: UUID | None) -> bool:
        return owner is not None and self.silent.get(owner, float("inf")) <= self.lease

    def register(self, owner: UUID, predecessor: UUID | None) -> int:
        self.silent[owner] = 0.0
        return 0 if predecessor is None else self.leave(predecessor)

    def leave(self, owner: UUID) -> int:
        self.silent.pop(owner, None)
        return self._recover({owner})

    def heartbeat(self, owner: UUID) -> int:
        if owner in self.silent:
            self.silent[owner] = 0.0
        holders = {holder for holder, _ in self.claims.values()} - {owner}
        return self._recover({holder for holder in holders if not self.alive(holder)})

    def _recover(self, owners: set[UUID]) -> int:
        """All that they hold, in one batch: the order of the owners is the database's."""
        self.release([number for number, claim in self.claims.items() if claim[0] in owners])
        return self._give_back([key for owner in owners for key in self.held(owner)])

    def pass_time(self, seconds: float) -> None:
        for key in self.keys("waiting_for_retry"):
            step = self.step(key)
            step.due_in = (step.due_in or 0) - seconds
        for owner in self.silent:
            self.silent[owner] += seconds

    # -- repair by hand -----------------------------------------------------------------------

    def end_task(self, uuid: UUID, state: str) -> None:
        task = self.tasks[uuid]
        if task.state not in REVIVABLE:
            raise RefusedError
        for step in task.steps.values():
            if step.state not in FINAL:
                step.due_in = None
                step.move(state, by_hand=True)
        task.state = state

    def retry(self, uuid: UUID, name: str | None) -> None:
        """Failed steps begin anew, waiting ones are due; all of them where none is named."""
        task = self.tasks[uuid]
        names = [n for n, s in task.steps.items() if s.state in ("error", "waiting_for_retry")]
        names = [n for n in names if name in (None, n)]
        if not names or task.state not in REVIVABLE:
            raise RefusedError
        for step in map(task.steps.__getitem__, names):
            if step.state == "error":
                step.attempts = step.crashes = 0
            step.due_in = None
            step.move("enqueued", by_hand=True)
        task.state = "in_progress"
        self._send([(uuid, name) for name in names])

    def resolve(self, uuid: UUID, name: str, value: object) -> None:
        task = self.tasks[uuid]
        step = task.steps[name]
        if step.state in FINAL or task.state not in REVIVABLE:
            raise RefusedError
        step.result, step.due_in = value, None
        step.move("resolved_manually", by_hand=True)
        task.counts_all |= bool(task.open_parents(name))
        ready = task.ready_behind([name])
        for child in ready:
            task.steps[child].move("enqueued")
        self._send([(uuid, child) for child in ready])
        task.state = "in_progress"
        task.settle()

    def why(self, uuid: UUID) -> dict[str, str]:
        """Why each step that is not complete does not run now, as `explain` says it."""
        served = any(map(self.alive, self.silent))
        task = self.tasks[uuid]
        return {
            name: {
                "pending": "blocked_by_failure" if task.blocked(name) else "waiting_for_parents",
                "enqueued": "in_queue" if served else "not_served",
                "in_progress": "running" if self.alive(step.owner) else "lease_ran_out",
                "waiting_for_retry": "waiting_until",
                "error": step.reason or "",
            }.get(step.state, "ended_by_hand")
            for name, step in task.steps.items()
            if step.state != "complete"
        }
