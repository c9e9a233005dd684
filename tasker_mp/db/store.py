"""The supervisor's database calls: batches in as array literals, rows out as values."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import psycopg
from psycopg import AsyncConnection
from psycopg.types.string import ByteaBinaryLoader

from tasker_mp.claimed_step import ClaimedStep
from tasker_mp.db.prune import FINISHED, Pruned, prune_parameters
from tasker_mp.db.queries import query
from tasker_mp.hydration import countable_results, follow
from tasker_mp.inflight import Settled
from tasker_mp.publication import is_durable, message_of
from tasker_mp.states import StepState

_DUE_LIMIT = 1000
_DEPTH_LIMIT = 1_000_000


class TableHealth(NamedTuple):
    """Of tasker's own tables and queues; the oldest transaction is anybody's, in seconds."""

    live_tuples: int
    dead_tuples: int
    oldest_transaction: float
    bytes: int


class WaitingQueue(NamedTuple):
    """A queue with messages: the age of the oldest visible one in seconds, None where all are
    invisible; whether any live supervisor serves the namespace."""

    queue: str
    namespace: str
    seconds: float | None
    served: bool


class Finished(NamedTuple):
    """What a committed batch led to: steps to run on, results refused, tasks that ended; and those
    that were not committed, whose growth must be computed anew: (event, standing as JSON)."""

    continued: list[ClaimedStep]
    stale: list[bytes]
    ended: list[tuple[bytes, str]]
    early: list[tuple[bytes, bytes]]


def raw_ids_and_json(connection: AsyncConnection[Any]) -> None:
    """Load UUIDs as 16 bytes and JSON unparsed: both are only passed on."""
    for name in ("uuid", "json"):
        connection.adapters.register_loader(name, ByteaBinaryLoader)


def array_literal(items: Iterable[object]) -> str:
    """A PostgreSQL array of values that need no quoting (numbers, hex, our own enum labels).

    Joining a string is several times cheaper than a dumper called once an element.
    """
    return "{" + ",".join(map(str, items)) + "}"


def uuid_array(uuids: Iterable[bytes]) -> str:
    return "{" + ",".join([uuid.hex() for uuid in uuids]) + "}"


def json_array(items: Iterable[bytes]) -> str:
    """`psycopg.DataError`, as the database would say it, where an item is not UTF-8."""
    return "[" + _text(b",".join(items)) + "]"


def _text(encoded: bytes) -> str:
    try:
        return encoded.decode()
    except UnicodeDecodeError as error:
        raise psycopg.DataError(f"not UTF-8: {error}") from error


class Store:
    """One connection's worth of queries for the supervisor `owner`; a method a `.sql` file."""

    def __init__(self, connection: AsyncConnection[Any], owner: UUID) -> None:
        self.connection = connection
        self.owner = owner
        raw_ids_and_json(connection)
        # One for all: a new one learns anew how each type is written and read, 50 µs a call.
        self._cursor = connection.cursor(binary=True)

    async def _rows(self, query_name: str, **parameters: object) -> list[tuple[Any, ...]]:
        cursor = self._cursor
        await cursor.execute(query(query_name), parameters, prepare=True)
        return await cursor.fetchall()  # does not wait, so that no other task comes in between

    async def _value(self, query_name: str, **parameters: object) -> Any:
        return (await self._rows(query_name, **parameters))[0][0]

    async def claim_steps(self, queues: Sequence[str], capacity: int) -> list[ClaimedStep]:
        rows = await self._rows(
            "claim_steps", owner=self.owner, queues=list(queues), capacity=capacity
        )
        return [ClaimedStep(*row) for row in rows]

    async def claim_bare(self, queues: Sequence[str]) -> list[ClaimedStep]:
        """One step at most, without its context and dependencies."""
        rows = await self._rows("claim_bare", owner=self.owner, queues=list(queues))
        return [ClaimedStep(*row) for row in rows]

    async def hydrate_step(self, step: ClaimedStep) -> ClaimedStep:
        """A claimed step with its context and dependencies."""
        task = UUID(bytes=step.task)
        rows = await self._rows(
            "hydrate_step", task=task, step_no=step.step_no, claim=step.claim_id
        )
        return ClaimedStep(*rows[0])

    async def finish_steps(
        self, batch: Sequence[Settled], capacity: int, released: Sequence[int]
    ) -> Finished:
        """Commit these results; at most `capacity` of the steps that they unlock come back."""
        if capacity and len(batch) == 1 and _is_plain(batch[0]):
            return await self._finish_step(batch[0], capacity, released)
        rows = await self._rows(
            "finish_steps",
            owner=self.owner,
            tasks=uuid_array(s.entry.task for s in batch),
            nos=array_literal(s.entry.step_no for s in batch),
            events=uuid_array(s.entry.event_id for s in batch),
            states=array_literal(s.state for s in batch),
            payloads=json_array(s.payload for s in batch),
            metadata=json_array(s.metadata for s in batch),
            delays=array_literal(s.delay for s in batch),
            crashed=array_literal(s.crashed for s in batch),
            results=array_literal(map(countable_results, batch)),
            capacity=capacity,
            released=array_literal(released) if released else None,
            growing=_growing(batch),
            growths=_growths(batch),
            durable=_durable(batch),
        )
        return _finished(rows, batch)

    async def _finish_step(
        self, settled: Settled, capacity: int, released: Sequence[int]
    ) -> Finished:
        entry, metadata = settled.entry, settled.metadata
        rows = await self._rows(
            "finish_step",
            owner=self.owner,
            task=entry.task.hex(),
            no=entry.step_no,
            event=entry.event_id.hex(),
            payload=_text(settled.payload),
            metadata=None if metadata == b"null" else _text(metadata),
            results=countable_results(settled),
            capacity=capacity,
            released=array_literal(released) if released else None,
        )
        return _finished(rows, [settled])

    async def held_steps(self) -> list[ClaimedStep]:
        """All that the database says this supervisor holds."""
        return [ClaimedStep(*row) for row in await self._rows("held_steps", owner=self.owner)]

    async def promote_due(self) -> tuple[int, float | None]:
        """How many retries became ready, and in how many seconds the next one will."""
        rows = await self._rows("promote_due", limit=_DUE_LIMIT)
        return rows[0][0], rows[0][1]

    async def register_supervisor(
        self, worker_id: str, host: str, pid: int, namespaces: list[str], predecessor: UUID | None
    ) -> int:
        """How many steps of the dead predecessor were recovered."""
        recovered: int = await self._value(
            "register_supervisor",
            supervisor=self.owner,
            worker_id=worker_id,
            host=host,
            pid=pid,
            namespaces=namespaces,
            predecessor=predecessor,
        )
        return recovered

    async def heartbeat(self, lease: float, state: str = "running") -> int:
        """How many steps of other, dead supervisors were recovered; `lease` in seconds."""
        recovered: int = await self._value(
            "heartbeat", supervisor=self.owner, lease=lease, state=state
        )
        return recovered

    async def enforce_lifecycles(self, limit: int) -> tuple[int, int, int]:
        """How many tasks were looked at, failed, and newly made dead letters."""
        looked, failed, dead = (await self._rows("enforce_lifecycles", limit=limit))[0]
        return looked, failed, dead

    async def prune_tasks(self, after: bytes | None, seconds: float) -> tuple[bytes | None, Pruned]:
        """What to go on behind, None at the end; and what of the finished tasks is gone."""
        row = (await self._rows("prune_tasks", **prune_parameters(after, seconds, FINISHED)))[0]
        return row[0], Pruned(*row[1:])

    async def recover_owner(self) -> int:
        """Give back all that this supervisor still holds, and leave."""
        returned: int = await self._value("recover_owner", owner=self.owner)
        return returned

    async def give_back(self, steps: Sequence[tuple[bytes, int]], reason: str) -> int:
        returned: int = await self._value(
            "give_back",
            owner=self.owner,
            tasks=uuid_array(task for task, _ in steps),
            nos=array_literal(step_no for _, step_no in steps),
            reason=reason,
        )
        return returned

    async def get_template(self, template_id: int) -> bytes:
        definition: bytes = await self._value("get_template", template_id=template_id)
        return definition

    async def queue_depths(self, queues: Sequence[str]) -> list[tuple[str, int, float]]:
        """Of each: its name, messages (a million stands for more), the oldest one's age in ms."""
        rows = await self._rows("queue_depths", queues=list(queues), limit=_DEPTH_LIMIT)
        return [(name, count, age) for name, count, age in rows]

    async def table_health(self) -> TableHealth:
        return TableHealth(*(await self._rows("table_health"))[0])

    async def waiting_queues(self, lease: float) -> list[WaitingQueue]:
        """`lease` in seconds, as for `heartbeat`."""
        return [WaitingQueue(*row) for row in await self._rows("waiting_queues", lease=lease)]


def _is_plain(settled: Settled) -> bool:
    """Whether its commit is the step's completion and nothing else."""
    return (
        settled.state == StepState.COMPLETE
        and settled.entry.growing is None
        and not any(is_durable(published) for published in settled.events or ())
    )


def _growing(batch: Sequence[Settled]) -> str | None:
    """The tasks to which steps may come at run time: these are locked first."""
    tasks = {settled.entry.task for settled in batch if settled.entry.growing is not None}
    return uuid_array(tasks) if tasks else None


def _growths(batch: Sequence[Settled]) -> str | None:
    asked = [
        {
            "task": settled.entry.task.hex(),
            "step": settled.entry.step_no,
            "event": settled.entry.event_id.hex(),
            **msgspec.structs.asdict(settled.growth),
        }
        for settled in batch
        if settled.growth is not None
    ]
    return msgspec.json.encode(asked).decode() if asked else None


def _durable(batch: Sequence[Settled]) -> str | None:
    """The domain events that go to the queues of their namespaces, for `send_events`."""
    asked = [
        {
            "event": settled.entry.event_id.hex(),
            "namespace": settled.entry.pace.namespace,
            "message": msgspec.Raw(message_of(published, settled, index)),
        }
        for settled in batch
        if settled.events
        for index, published in enumerate(settled.events)
        if is_durable(published)
    ]
    return msgspec.json.encode(asked).decode() if asked else None


def _finished(rows: list[tuple[Any, ...]], batch: Sequence[Settled]) -> Finished:
    finished = Finished([], [], [], [])
    following = []
    for row in rows:
        match row[0]:
            case "step" if row[-1] is None:
                finished.continued.append(ClaimedStep(*row[1:-1]))
            case "step":
                following.append(row)
            case "stale":
                finished.stale.append(row[3])
            case "early":
                finished.early.append((row[3], row[10]))
            case "task":
                finished.ended.append((row[1], row[5]))
            case kind:
                raise AssertionError(f"finish_steps returned a row of kind {kind!r}")
    if following:
        parents = _accepted(batch, finished.stale)
        finished.continued.extend(follow(parents[row[1], row[-1]], *row[2:9]) for row in following)
    return finished


def _accepted(batch: Sequence[Settled], stale: Sequence[bytes]) -> dict[tuple[bytes, int], Settled]:
    """By task and step number: a batch may have a step twice, then once under a stale event."""
    refused = set(stale)
    return {
        (settled.entry.task, settled.entry.step_no): settled
        for settled in batch
        if settled.entry.event_id not in refused
    }
