"""A task's calls to the database in a bare loop: no supervisor, no worker, nobody notified."""

import asyncio
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self
from uuid import uuid4

from msgspec.structs import replace

from bench.ceiling.bare import settled
from bench.latency.parts import LINEAR
from bench.project import Served
from tasker_mp.db.connect import connect_async
from tasker_mp.db.store import Store
from tasker_mp.engine.queues import QueueOrder
from tasker_mp.template.model import Template

_NAMESPACE = "bench_bare"
"""That no supervisor serves."""
_RESULT = b'{"value":36}'
_ROOM = 100


class BareCalls:
    """A context manager. Submit, claim, a finish for each step and the task read, as the engine
    makes them and with the same durability, one after the other in this process."""

    def __init__(self, served: Served) -> None:
        self._served = served
        self._runner = asyncio.Runner()
        self._queues = QueueOrder([_NAMESPACE]).all[1:2]  # as announced: of the usual priority
        self._times: list[float] = []

    def __enter__(self) -> Self:
        self._served.client.register(_copy(self._served.client.templates()))
        self._runner.run(self._open())
        return self

    async def _open(self) -> None:
        dsn, owner = self._served.config.database.url, uuid4()
        self._claims, self._finishes = [Store(await connect_async(dsn), owner) for _ in range(2)]
        await self._claims.connection.execute("set synchronous_commit = off")

    def take(self, count: int) -> None:
        """So many tasks."""
        for _ in range(count):
            began = time.perf_counter()
            self._runner.run(self._task())
            self._times.append(time.perf_counter() - began)

    async def _task(self) -> None:
        client = self._served.client
        task = client.submit(_NAMESPACE, LINEAR.template, LINEAR.context)
        steps = await self._claims.claim_steps(self._queues, _ROOM)
        released: Sequence[int] = ()
        while steps:
            step = steps.pop()
            finished = await self._finishes.finish_steps([settled(step, _RESULT)], _ROOM, released)
            released = [step.claim_id]
            steps += finished.continued
        client.get_task(task.uuid)

    def milliseconds(self) -> list[float]:
        """Of each task since the last call."""
        taken, self._times = self._times, []
        return [1000 * each for each in taken]

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._runner.run(self._close())
        self._runner.close()

    async def _close(self) -> None:
        for store in (self._claims, self._finishes):
            await store.connection.close()


def _copy(templates: Sequence[Template]) -> Template:
    """The measured workflow in a namespace of its own."""
    wanted = (LINEAR.namespace, LINEAR.template)
    [found] = [t for t in templates if (t.namespace_name, t.name) == wanted]
    return replace(found, namespace_name=_NAMESPACE)
