"""Every row that tells of a workflow, compared with the model."""

from collections import Counter, defaultdict
from typing import Any
from uuid import UUID

from dags import NAMESPACE
from dags import QUEUES as QUEUE_NAMES
from psycopg import Connection

from .dag_strategies import MOMENT
from .workflow_model import QUEUES, WorkflowModel
from .workflow_task import Change, Key

BY_HAND = "somebody"

_STEPS = """
select s.task_uuid, s.step_no, s.name, s.state::text, s.attempts, s.crashes, s.event_id, s.owner,
       s.result, s.waiting_on, r.open_parents,
       extract(epoch from s.due_at - clock_timestamp())::double precision
from tasker.steps s left join tasker.step_readiness r using (task_uuid, step_no)
"""
_TASKS = "select task_uuid, state::text, open_sinks, failed_steps from tasker.tasks"
_CLAIMS = "select claim_id, owner, task_uuids, step_nos from tasker.claims"
_SILENT = """
select supervisor_uuid, extract(epoch from clock_timestamp() - heartbeat_at)::double precision
from tasker.supervisors
"""
_MESSAGES = " union all ".join(
    f"select {queue}, (message ->> 'task')::uuid, (message ->> 'step')::integer from pgmq.q_{name}"
    for queue, name in zip(QUEUES, QUEUE_NAMES, strict=True)
)
# In the order in which `task show` lists them.
_TRANSITIONS = """
select task_uuid, step_no, from_state, to_state, attempt, actor from tasker.step_transitions
where step_no > 0 order by at, step_no, attempt nulls first
"""
_LEGAL = "select from_state, to_state from tasker.legal_transitions where kind = 'step'"
_EMPTY = f"""
select tasker.create_queues('{NAMESPACE}');
do $$ begin execute (
    select 'truncate ' || string_agg(format('%I.%I', schemaname, tablename), ',')
    from pg_tables
    where schemaname = 'tasker' and tablename not like 'schema\\_%'
       or schemaname = 'pgmq' and tablename like 'q\\_%'); end $$
"""


class WorkflowRows:
    """Reads the rows through a connection of its own; steps go by their names."""

    def __init__(self, connection: Connection[Any]) -> None:
        self._connection = connection
        self._names: dict[tuple[UUID, int], str] = {}
        self._legal = set(self._rows(_LEGAL))

    def _rows(self, query: str) -> list[tuple[Any, ...]]:
        return self._connection.execute(query.encode()).fetchall()

    def empty(self) -> None:
        """As a database just migrated, but for the queues."""
        self._connection.execute(_EMPTY.encode())

    def pass_time(self, seconds: float, owner: UUID | None = None) -> None:
        """As if that much time had passed: for one silent supervisor, or for everything."""
        lapse = [seconds, owner, owner]
        self._connection.execute(
            b"update tasker.supervisors set heartbeat_at = heartbeat_at - make_interval(secs => %s)"
            b" where %s::uuid is null or supervisor_uuid = %s",
            lapse,
        )
        if owner is None:
            self._connection.execute(
                b"update tasker.steps set due_at = due_at - make_interval(secs => %s)"
                b" where due_at is not null",
                [seconds],
            )

    def messages(self) -> list[tuple[int, Key]]:
        """The queue and the step of every message."""
        return [(queue, self._key(task, number)) for queue, task, number in self._rows(_MESSAGES)]

    def numbers(self, task: UUID) -> dict[str, int]:
        for uuid, number, name in self._rows("select task_uuid, step_no, name from tasker.steps"):
            self._names[uuid, number] = name
        return {name: number for (uuid, number), name in self._names.items() if uuid == task}

    def _key(self, task: UUID, number: int) -> Key:
        return task, self._names[task, number]

    # -- comparing ----------------------------------------------------------------------------

    def compare(self, model: WorkflowModel) -> None:
        self._compare_steps(model)
        self._compare_tasks(model)
        self._compare_claims(model)
        self._compare_messages(model)
        self._compare_paths(model)

    def _compare_steps(self, model: WorkflowModel) -> None:
        found = self._rows(_STEPS)
        assert len(found) == sum(len(task.steps) for task in model.tasks.values())
        for uuid, _, name, *told, result, waiting_on, open_parents, due_in in found:
            task, step = model.tasks[uuid], model.step((uuid, name))
            event = step.event and UUID(bytes=step.event)
            assert told == [step.state, step.attempts, step.crashes, event, step.owner], name
            assert result == step.result, f"the result of {name}"
            expected = len(task.counted_parents(name))
            assert open_parents in (None, expected), f"open parents of {name} by the edges"
            if task.state != "resolved_manually":  # then nobody goes on counting
                assert waiting_on == expected, f"open parents of {name} as counted"
            assert (due_in is None) == (step.due_in is None), f"whether {name} waits"
            if due_in is not None and step.due_in is not None:
                assert 0 <= step.due_in - due_in < MOMENT, f"when {name} is due"

    def _compare_tasks(self, model: WorkflowModel) -> None:
        found = self._rows(_TASKS)
        assert {row[0] for row in found} == set(model.tasks)
        for uuid, state, open_sinks, failed_steps in found:
            task = model.tasks[uuid]
            assert (state, open_sinks) == (task.state, task.open_sinks())
            # A sink resolved by hand may complete a task of which other branches still run.
            if state != "complete":
                assert failed_steps == task.failed_steps()

    def _compare_claims(self, model: WorkflowModel) -> None:
        claims = {
            number: (owner, set(map(self._key, tasks, numbers)))
            for number, owner, tasks, numbers in self._rows(_CLAIMS)
        }
        assert claims == model.claims
        named = {(owner, key) for owner, keys in claims.values() for key in keys}
        for key in model.keys("in_progress"):
            assert (model.step(key).owner, key) in named, "else nobody could recover it"
        silent = dict(self._rows(_SILENT))
        assert set(silent) == set(model.silent)
        for owner, seconds in silent.items():
            assert 0 <= seconds - model.silent[owner] < MOMENT, "since the last heartbeat"

    def _compare_messages(self, model: WorkflowModel) -> None:
        """One for each step that is enqueued; others only of steps that ended by hand."""
        found = Counter(self.messages())
        sent = [(queue, key) for queue in QUEUES for batch in model.queues[queue] for key in batch]
        assert found == Counter(sent)
        ready = Counter(key for _, key in found if model.step(key).state == "enqueued")
        assert ready == Counter(model.keys("enqueued"))
        others = {model.step(key).state for _, key in found} - {"enqueued"}
        assert others <= {"cancelled", "resolved_manually"}

    def _compare_paths(self, model: WorkflowModel) -> None:
        paths: dict[Key, list[Change]] = defaultdict(list)
        for uuid, number, old, new, attempt, actor in self._rows(_TRANSITIONS):
            change = Change(old, new, attempt, actor == BY_HAND)
            paths[self._key(uuid, number)].append(change)
        for uuid, task in model.tasks.items():
            for name, step in task.steps.items():
                path = paths[uuid, name]
                assert path == step.path, f"the transitions of {name}"
                assert self._legal.issuperset(change[:2] for change in path)
                assert [c.old for c in path] == ["pending", *(c.new for c in path)][: len(path)]
