"""A client's connection, which is opened anew where the one before it broke.

A statement is sent again only where that is harmless. What cannot be told is said: a statement
whose answer was lost with the connection may have been carried out or not.
"""

import asyncio
import select
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import msgspec
import psycopg
from psycopg import AsyncConnection, AsyncCursor, Connection, Cursor
from psycopg.pq import ConnStatus
from psycopg.pq.abc import PGconn
from psycopg.types.json import set_json_loads

from tasker_mp.client.errors import AnswerLostError, readable_errors
from tasker_mp.db.queries import query

Rows = list[tuple[Any, ...]]

_BUFFERED = 16
"""What a server says before it hangs up: its last words, and then the end."""


class Link:
    """Runs queries by name; shared by any number of threads, one after the other.

    With one cursor: a new one learns anew how each type is written and read, 50 µs a query.
    """

    def __init__(self, connect: Callable[[], Connection[Any]]) -> None:
        self._connect = connect
        self._using = threading.Lock()
        self._cursor = self._opened()

    def rows(self, query_name: str, parameters: dict[str, Any], *, repeatable: bool = True) -> Rows:
        """The query's rows; `AnswerLostError` where it broke off and is not `repeatable`."""
        with readable_errors(), self._using:
            cursor = self._live()
            try:
                return _fetch(cursor, query_name, parameters)
            except psycopg.OperationalError as error:
                _check_repeatable(cursor.connection.closed, repeatable, error)
            return _fetch(self._live(), query_name, parameters)

    def _live(self) -> Cursor[Any]:
        connection = self._cursor.connection
        if is_dead(connection.pgconn):
            connection.close()
            self._cursor = self._opened()
        return self._cursor

    def _opened(self) -> Cursor[Any]:
        connection = self._connect()
        set_json_loads(msgspec.json.decode, connection)
        return connection.cursor()

    def close(self) -> None:
        self._cursor.connection.close()


class AsyncLink:
    """As `Link`, for any number of tasks of one loop; `open` it first."""

    def __init__(self, connect: Callable[[], Awaitable[AsyncConnection[Any]]]) -> None:
        self._connect = connect
        self._using = asyncio.Lock()
        self._cursor: AsyncCursor[Any] | None = None

    async def open(self) -> None:
        async with self._using:
            await self._live()

    async def rows(
        self, query_name: str, parameters: dict[str, Any], *, repeatable: bool = True
    ) -> Rows:
        """As `Link.rows`."""
        async with self._using:
            with readable_errors():
                cursor = await self._live()
                try:
                    return await _fetch_async(cursor, query_name, parameters)
                except psycopg.OperationalError as error:
                    _check_repeatable(cursor.connection.closed, repeatable, error)
                return await _fetch_async(await self._live(), query_name, parameters)

    async def _live(self) -> AsyncCursor[Any]:
        if self._cursor is not None:
            if not is_dead(self._cursor.connection.pgconn):
                return self._cursor
            await self._cursor.connection.close()
        connection = await self._connect()
        set_json_loads(msgspec.json.decode, connection)
        self._cursor = connection.cursor()
        return self._cursor

    async def close(self) -> None:
        if self._cursor is not None:
            await self._cursor.connection.close()


def is_dead(connection: PGconn) -> bool:
    """Whether the server has hung up on an idle connection, which nobody would have noticed.

    It costs a look at the socket, and spares the doubt about a statement that was never sent.
    """
    with suppress(psycopg.OperationalError):
        for _ in range(_BUFFERED):
            if connection.status == ConnStatus.BAD:
                return True
            poll = select.poll()
            poll.register(connection.socket, select.POLLIN)
            if not poll.poll(0):
                return False
            connection.consume_input()
    return connection.status == ConnStatus.BAD


def _check_repeatable(broken: bool, repeatable: bool, error: psycopg.OperationalError) -> None:
    """Raises unless the statement broke off with its connection and may be sent again."""
    if not broken:
        raise error
    if not repeatable:
        raise AnswerLostError from error


def _fetch(cursor: Cursor[Any], query_name: str, parameters: dict[str, Any]) -> Rows:
    return cursor.execute(query(query_name), parameters, prepare=True).fetchall()


async def _fetch_async(
    cursor: AsyncCursor[Any], query_name: str, parameters: dict[str, Any]
) -> Rows:
    await cursor.execute(query(query_name), parameters, prepare=True)
    return await cursor.fetchall()
