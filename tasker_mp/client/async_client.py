"""The asyncio client: as `Client`, and any number of waiters on one listening connection."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from types import TracebackType
from typing import Any, Self
from uuid import UUID

import msgspec
import psycopg
from psycopg import AsyncConnection

from tasker_mp.client.catalog import CATALOG_SECONDS, Catalog, registration
from tasker_mp.client.errors import AnswerLostError, of_task
from tasker_mp.client.explanation import TaskExplanation, explanation
from tasker_mp.client.link import AsyncLink, Rows
from tasker_mp.client.repair import (
    Repair,
    attribution,
    encoded_result,
    repair,
    required,
    step_parameters,
)
from tasker_mp.client.submission import (
    Submission,
    all_keyed,
    submit_parameters,
    submitted_summary,
)
from tasker_mp.client.task import DeadLetter, Task, TaskSummary, dead_letter, task, task_summary
from tasker_mp.client.task_filter import TaskFilter
from tasker_mp.config import Config, load_config
from tasker_mp.db.connect import connect_async
from tasker_mp.db.ready import ready_database
from tasker_mp.errors import TemplateNotFoundError
from tasker_mp.states import FINAL_TASK_STATES
from tasker_mp.template.model import Template
from tasker_mp.template.parse import load_templates

_RECHECK_SECONDS = 1.0


class AsyncClient:
    """Submit and follow tasks from asyncio; open it with `async with`.

    `dsn` and `config` are those of `Client`. Starting an embedded database blocks the loop for as
    long as that takes, once.
    """

    def __init__(self, dsn: str | None = None, *, config: Config | None = None) -> None:
        self._config = config or load_config()
        self._dsn = dsn
        self._local = dsn is None
        self._catalog: Catalog | None = None
        self._catalog_until = 0.0
        self._waiters: defaultdict[UUID, set[asyncio.Event]] = defaultdict(set)
        self._listener: asyncio.Task[None] | None = None
        self._starting = asyncio.Lock()
        self._resources = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            if self._dsn is None:
                self._dsn = stack.enter_context(ready_database(self._config))
            self._link = AsyncLink(self._connect)
            stack.push_async_callback(self._link.close)
            await self._link.open()
            self._resources = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._listener is not None:
            self._listener.cancel()
            await asyncio.gather(self._listener, return_exceptions=True)
        await self._resources.aclose()

    async def submit(
        self, namespace: str, name: str, context: dict[str, Any], **options: Any
    ) -> TaskSummary:
        """Submit one task; `options` are those of `Client.submit`."""
        submission = Submission(namespace=namespace, name=name, context=context, **options)
        uuid, created_at = (await self._submit([submission]))[0]
        if created_at is None:
            return await self.get_summary(uuid)
        return submitted_summary(submission, await self._known_catalog(), uuid, created_at)

    async def submit_many(self, submissions: Sequence[Submission]) -> list[UUID]:
        """As `Client.submit_many`."""
        return [row[0] for row in await self._submit(submissions)] if submissions else []

    async def _submit(self, submissions: Sequence[Submission]) -> Rows:
        try:
            return await self._submitted(submissions)
        except AnswerLostError:
            if not all_keyed(submissions):
                raise
            return await self._submitted(submissions)

    async def _submitted(self, submissions: Sequence[Submission]) -> Rows:
        parameters = await self._parameters(submissions)
        try:
            return await self._link.rows("submit_tasks", parameters, repeatable=False)
        except TemplateNotFoundError:
            self._catalog = None  # the database was reset since it was read
            raise

    async def register(self, template: Template) -> int:
        """Make a template known to the database; its id there."""
        rows = await self._rows("register_template", **registration(template))
        template_id: int = rows[0][0]
        if self._catalog is not None:
            self._catalog.add(template_id, template)
        return template_id

    async def get_task(self, uuid: UUID) -> Task:
        """The task with its steps; `UnknownTaskError` where there is none."""
        return task(uuid, of_task(uuid, await self._rows("get_task_with_steps", task=uuid)))

    async def get_summary(self, uuid: UUID) -> TaskSummary:
        """The task without its steps; `UnknownTaskError` where there is none."""
        return task_summary(await self._task_row(uuid))

    async def list_tasks(
        self,
        *,
        state: str | None = None,
        namespace: str | None = None,
        quarantined: bool = False,
        limit: int = 50,
        where: TaskFilter | None = None,
        scan: int | None = None,
    ) -> list[TaskSummary]:
        """Tasks, newest first; `quarantined`: only those with a step that kept crashing.

        `where` says more closely which; past `scan` tasks they are not looked for.
        """
        parameters: dict[str, Any] = {"state": state, "namespace": namespace, "limit": limit}
        if not quarantined:
            where = where or TaskFilter(state=state, namespace=namespace)
            parameters |= where.parameters(scan)
        name = "list_quarantined" if quarantined else "list_tasks"
        return [task_summary(row) for row in await self._rows(name, **parameters)]

    async def list_dead_letters(
        self,
        *,
        state: str | None = None,
        namespace: str | None = None,
        only_stale: bool = False,
        limit: int = 50,
    ) -> list[DeadLetter]:
        """As `Client.list_dead_letters`."""
        parameters = {"state": state, "namespace": namespace, "only_stale": only_stale}
        rows = await self._rows("list_dead_letters", limit=limit, **parameters)
        return [dead_letter(row) for row in rows]

    async def explain(self, uuid: UUID) -> TaskExplanation:
        """Why each step that is not complete is not running now; `UnknownTaskError`."""
        await self._task_row(uuid)
        lease = self._config.steps.lease
        rows = await self._rows("explain_task", task=uuid, lease=lease)
        return explanation(uuid, rows[0], await self._rows("explain_steps", task=uuid), lease)

    # Repairs by hand, as those of `Client`.

    async def cancel_task(
        self, uuid: UUID, *, reason: str | None = None, by: str | None = None
    ) -> Repair:
        """As `Client.cancel_task`."""
        return await self._repair("end_task", uuid, state="cancelled", **attribution(by, reason))

    async def resolve_task(self, uuid: UUID, *, reason: str, by: str | None = None) -> Repair:
        """As `Client.resolve_task`."""
        why = attribution(by, required(reason))
        return await self._repair("end_task", uuid, state="resolved_manually", **why)

    async def retry_task(
        self, uuid: UUID, *, reason: str | None = None, by: str | None = None
    ) -> Repair:
        """As `Client.retry_task`."""
        return await self._repair("retry_steps", uuid, step_no=None, **attribution(by, reason))

    async def retry_step(
        self, uuid: UUID, *, reason: str | None = None, by: str | None = None
    ) -> Repair:
        """As `Client.retry_step`."""
        why = attribution(by, reason)
        return await self._repair("retry_steps", **step_parameters(uuid), **why)

    async def resolve_step(self, uuid: UUID, *, reason: str, by: str | None = None) -> Repair:
        """As `Client.resolve_step`."""
        why = attribution(by, required(reason))
        return await self._repair("resolve_step", **step_parameters(uuid), result=None, **why)

    async def complete_step(
        self, uuid: UUID, result: object, *, reason: str, by: str | None = None
    ) -> Repair:
        """As `Client.complete_step`."""
        why = attribution(by, required(reason))
        encoded = encoded_result(result, self._config.ring.max_payload_bytes)
        return await self._repair("resolve_step", **step_parameters(uuid), result=encoded, **why)

    async def _repair(self, query_name: str, task: UUID, **parameters: Any) -> Repair:
        given = {"task": task, **parameters}
        return repair(task, await self._link.rows(query_name, given, repeatable=False))

    async def wait(self, uuid: UUID, timeout: float | None = None) -> Task:
        """The task once it has ended; `TimeoutError` after `timeout` seconds."""
        await self._ensure_listening()
        try:
            async with asyncio.timeout(timeout):
                await self._await_end(uuid)
        except TimeoutError:
            raise TimeoutError(f"task {uuid} has not ended within {timeout:g} s") from None
        return await self.get_task(uuid)

    async def _await_end(self, uuid: UUID) -> None:
        ended = asyncio.Event()
        self._waiters[uuid].add(ended)
        try:
            while not await self._has_ended(uuid):
                try:
                    async with asyncio.timeout(_RECHECK_SECONDS):
                        await ended.wait()
                except TimeoutError:
                    continue
                return
        finally:
            self._waiters[uuid].discard(ended)
            if not self._waiters[uuid]:
                del self._waiters[uuid]

    async def _has_ended(self, uuid: UUID) -> bool:
        rows = of_task(uuid, await self._rows("announce_wait", task=uuid))
        return rows[0][0] in FINAL_TASK_STATES

    async def _ensure_listening(self) -> None:
        """One connection, however many begin to wait at the same time; a new one if it broke."""
        async with self._starting:
            if self._listener is None or self._listener.done():
                connection = await self._resources.enter_async_context(await self._connect())
                await connection.execute("listen tasker_ended")
                self._listener = asyncio.create_task(self._listen(connection))

    async def _listen(self, connection: AsyncConnection[Any]) -> None:
        with suppress(psycopg.OperationalError):  # waiters look for themselves as well
            async for notice in connection.notifies():
                for waiter in self._waiters.get(UUID(notice.payload), ()):
                    waiter.set()

    async def _parameters(self, submissions: Sequence[Submission]) -> dict[str, Any]:
        limit = self._config.ring.max_payload_bytes
        try:
            return submit_parameters(submissions, await self._known_catalog(), limit)
        except TemplateNotFoundError:
            if self._local:
                raise
            self._catalog = None
            return submit_parameters(submissions, await self._known_catalog(), limit)

    async def _known_catalog(self) -> Catalog:
        if self._catalog is None or time.monotonic() > self._catalog_until:
            self._catalog_until = time.monotonic() + CATALOG_SECONDS
            rows = await self._rows("list_templates")
            self._catalog = Catalog((row[0], msgspec.json.encode(row[4])) for row in rows)
            if self._local:
                path = self._config.root / self._config.templates.path
                local = load_templates(path, self._config.environment)
                for template in local.templates:
                    if self._catalog.lacks(template):
                        await self.register(template)
                self._catalog.exclude(local.broken)
        return self._catalog

    async def _task_row(self, uuid: UUID) -> tuple[Any, ...]:
        return of_task(uuid, await self._rows("get_task", task=uuid))[0]

    async def _rows(self, query_name: str, **parameters: Any) -> Rows:
        return await self._link.rows(query_name, parameters)

    async def _connect(self) -> AsyncConnection[Any]:
        assert self._dsn is not None
        return await connect_async(self._dsn, autocommit=True)
