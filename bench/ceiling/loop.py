"""Runs the bare loop in this process, in a supervisor's place.

python -m bench.ceiling.loop      an `Order` as a line of JSON on stdin; "0" once it is ready, and
                                  its count of steps for each line after that; ends with stdin
"""

import asyncio
import os
import socket
import sys
from contextlib import AsyncExitStack, suppress
from uuid import uuid4

import msgspec
from msgspec import Struct

from bench.ceiling.bare import BareLoop
from tasker_mp.db.connect import connect_async
from tasker_mp.db.store import Store
from tasker_mp.engine.announcements import Announcements
from tasker_mp.engine.queues import QueueOrder


class Order(Struct):
    """`results` by step name, as JSON text."""

    dsn: str
    namespace: str
    results: dict[str, str]
    lanes: int
    in_flight: int
    batch: int
    statement_timeout: float


async def _serve(order: Order) -> None:
    owner = uuid4()
    async with AsyncExitStack() as stack:

        async def store() -> Store:
            connection = await connect_async(
                order.dsn, statement_timeout=order.statement_timeout, owner=owner
            )
            stack.push_async_callback(connection.close)
            return Store(connection, owner)

        claims = await store()
        await claims.register_supervisor(
            "bare", socket.gethostname(), os.getpid(), [order.namespace], None
        )
        await claims.connection.execute("set synchronous_commit = off")
        loop = BareLoop(
            claims,
            [await store() for _ in range(order.lanes)],
            QueueOrder([order.namespace]).all,
            {name: text.encode() for name, text in order.results.items()},
            order.in_flight,
            order.batch,
        )
        hears = Announcements(order.dsn, owner).follow(loop.note_work, loop.note_work)
        await _until_told(loop, [asyncio.create_task(hears), asyncio.create_task(loop.run())])
        await claims.recover_owner()


async def _until_told(loop: BareLoop, work: list["asyncio.Task[None]"]) -> None:
    """Answer each line with the count, until there are no more; the work fails aloud."""
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
    talk = asyncio.create_task(_answer(loop, reader))
    done, _ = await asyncio.wait([talk, *work], return_when=asyncio.FIRST_COMPLETED)
    for task in [talk, *work]:
        task.cancel()
    await asyncio.gather(talk, *work, return_exceptions=True)
    for task in done:
        task.result()


async def _answer(loop: BareLoop, reader: asyncio.StreamReader) -> None:
    print(0, flush=True)
    while await reader.readline():
        print(loop.steps, flush=True)


def main() -> None:
    text = os.read(0, 1 << 20)
    with suppress(BrokenPipeError, KeyboardInterrupt):
        asyncio.run(_serve(msgspec.json.decode(text, type=Order)))


if __name__ == "__main__":
    main()
