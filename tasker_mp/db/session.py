"""A connection that comes back: runs the supervisor's queries, reconnecting with backoff."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

import psycopg
import structlog
from psycopg import AsyncConnection

from tasker_mp.db.patience import Patience
from tasker_mp.db.refusals import REFUSALS
from tasker_mp.db.store import Store
from tasker_mp.errors import UnreachableError

log = structlog.get_logger("tasker_mp.database")

_CONFLICTS = (
    psycopg.errors.DeadlockDetected,
    psycopg.errors.SerializationFailure,
    psycopg.errors.TransactionRollback,
)
"""Two transactions met, and this one gave way (psycopg's classes do not follow SQL's)."""

T = TypeVar("T")
Connect = Callable[[], Awaitable[AsyncConnection[Any]]]


class Trouble(NamedTuple):
    """Since when (monotonic seconds) nothing has succeeded, and the latest error."""

    since: float
    error: str


class Session:
    """One lane to the database. Every operation that it runs may be run again after a failure.

    `reconnected` is set once an answer may have been lost; its reader clears it.
    """

    def __init__(self, connect: Connect, owner: UUID, *, synchronous_commit: bool = True) -> None:
        self._connect = connect
        self._owner = owner
        self._synchronous = synchronous_commit
        self._store: Store | None = None
        self._opening = asyncio.Lock()
        self.reconnected = False
        self.busy = False
        self.trouble: Trouble | None = None

    @property
    def connected(self) -> bool:
        return self._store is not None and not self._store.connection.closed

    async def open(self) -> None:
        """Connect now; `UnreachableError` where the database does not answer."""
        connection = await self._connect()
        if not self._synchronous:
            await connection.execute("set synchronous_commit = off")
        self._store = Store(connection, self._owner)

    async def run(self, operation: Callable[[Store], Awaitable[T]]) -> T:
        """The operation's value; waits, as long as it takes, while the database is in trouble.

        What is wrong with the data is raised: `REFUSALS`.
        """
        patience = Patience()
        while True:
            store = await self._live_store()
            self.busy = True
            try:
                value = await operation(store)
            except REFUSALS:
                self.trouble = None
                raise
            except _CONFLICTS as error:
                log.warning("transaction retried", sqlstate=error.sqlstate)
            except psycopg.OperationalError as error:
                await self._wait("database trouble", error, patience)
            else:
                self.trouble = None
                return value
            finally:
                self.busy = False

    async def _live_store(self) -> Store:
        async with self._opening:  # or several at once would each open a connection
            if self._store is None or self._store.connection.closed:
                await self._reopen()
        assert self._store is not None
        return self._store

    async def _reopen(self) -> None:
        patience = Patience()
        while True:
            try:
                await self.open()
            except (UnreachableError, psycopg.OperationalError) as error:
                await self._wait("database unreachable", error, patience)
            else:
                self.reconnected = True
                return

    async def _wait(self, event: str, error: Exception, patience: Patience) -> None:
        text, delay = str(error).strip(), patience.delay()
        self.trouble = Trouble(self.trouble.since if self.trouble else time.monotonic(), text)
        log.warning(event, error=text, retry_in=round(delay, 3))
        await asyncio.sleep(delay)

    async def close(self) -> None:
        if self._store is not None:
            await self._store.connection.close()
