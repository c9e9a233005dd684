"""What the database says after the run, read directly and not through the system's own client."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, Final

import psycopg
from msgspec import Struct
from psycopg.types.json import set_json_loads

_STEPS: Final = """
    select replace(s.task_uuid::text, '-', ''), s.step_no, s.name, s.state::text, s.attempts,
           s.crashes, replace(s.event_id::text, '-', ''), s.result,
           t.state::text, w.namespace, w.name, case when s.step_no = 1 then t.context end
    from tasker.steps s
    join tasker.tasks t using (task_uuid)
    join tasker.templates w on w.template_id = t.template_id
    order by s.task_uuid, s.step_no"""
_RETRIES: Final = """
    select replace(task_uuid::text, '-', ''), step_no, attempt, replace(event_id::text, '-', ''),
           error ->> 'error_code', error ->> 'message'
    from tasker.transitions where to_state = 'waiting_for_retry'"""
_NOT_ONCE: Final = """
    select task_uuid, step_no, count(*) from tasker.step_transitions
    where to_state = 'complete' group by 1, 2 having count(*) <> 1 limit 100"""
_RETURNED: Final = """
    select count(*) from tasker.transitions
    where from_state = 'in_progress' and to_state = 'enqueued'"""


class StepRow(Struct):
    """A step as the database has it; UUIDs as hexadecimal digits."""

    step_no: int
    name: str
    state: str
    attempts: int
    crashes: int
    event: str | None
    result: Any


class TaskRow(Struct):
    """A task with its steps."""

    uuid: str
    state: str
    namespace: str
    name: str
    context: dict[str, Any]
    steps: list[StepRow]


class Retry(Struct):
    """An attempt that was charged and will be followed by another."""

    attempt: int
    event: str
    code: str | None
    message: str


Retries = dict[tuple[str, int], list[Retry]]


class Database:
    """A connection to what is left of the run, while nobody works on it."""

    def __init__(self, dsn: str) -> None:
        self._connection = psycopg.connect(dsn)
        set_json_loads(json.loads, self._connection)

    def tasks(self) -> Iterator[TaskRow]:
        with self._connection.cursor("tasks") as cursor:
            cursor.itersize = 5000
            for uuid, rows in groupby(cursor.execute(_STEPS), key=lambda row: row[0]):
                steps = list(rows)
                state, namespace, name, context = steps[0][8:]
                found = [StepRow(*row[1:8]) for row in steps]
                yield TaskRow(uuid, state, namespace, name, context, found)

    def retries(self) -> Retries:
        """By task and step number."""
        found: defaultdict[tuple[str, int], list[Retry]] = defaultdict(list)
        for task, step_no, *rest in self._rows(_RETRIES):
            found[task, step_no].append(Retry(*rest))
        return found

    def not_completed_once(self) -> list[tuple[Any, ...]]:
        """Steps whose history has another number of completions than one, if it has any."""
        return self._rows(_NOT_ONCE)

    def returned(self) -> int:
        """How often a claimed step was given back, uncharged."""
        return int(self._rows(_RETURNED)[0][0])

    def leftovers(self) -> dict[str, int]:
        """Rows that nobody needs once everything has ended, by where they are."""
        found = {}
        for table in ("tasker.claims", "tasker.supervisors"):
            found[table] = int(self._rows(f"select count(*) from {table}")[0][0])
        for (queue,) in self._rows("select queue_name from pgmq.meta order by 1"):
            found[f"queue {queue}"] = int(
                self._rows(f'select count(*) from pgmq."q_{queue}"')[0][0]
            )
        return found

    def settings(self) -> dict[str, str]:
        names = ("server_version", "fsync", "synchronous_commit", "full_page_writes")
        return {name: self._rows(f"show {name}")[0][0] for name in names}

    def close(self) -> None:
        self._connection.close()

    def _rows(self, query: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return self._connection.execute(query, parameters).fetchall()


def task_states(dsn: str) -> Counter[str]:
    """How many tasks are in each state; `psycopg.OperationalError` while the server is away."""
    with psycopg.connect(dsn, connect_timeout=4, autocommit=True) as connection:
        rows = connection.execute("select state::text, count(*) from tasker.tasks group by 1")
        return Counter(dict(rows.fetchall()))
