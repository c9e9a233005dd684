"""What is told to end ends, even where the first cancellation of it is lost."""

import asyncio
import logging

import pytest

from tasker_mp.engine.cancellation import end


async def _loses(cancellations: int, ended: list[int]) -> None:
    for _ in range(cancellations):
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            continue
    try:
        await asyncio.sleep(60)
    finally:
        ended.append(cancellations)


async def _fails() -> None:
    try:
        await asyncio.sleep(60)
    finally:
        raise ValueError("nobody asks any more")


def test_tasks_are_cancelled_until_they_end(caplog: pytest.LogCaptureFixture) -> None:
    ended: list[int] = []

    async def run() -> None:
        tasks = [asyncio.create_task(_loses(n, ended)) for n in (0, 1, 0)]
        tasks.append(asyncio.create_task(_fails()))
        await asyncio.sleep(0)
        async with asyncio.timeout(20):
            await end(tasks)
        assert all(task.done() for task in tasks)

    with caplog.at_level(logging.ERROR):  # asyncio tells of what nobody asked for
        asyncio.run(run())
    assert ended == [0, 0, 1]
    assert not caplog.records


def test_nothing_ends_at_once() -> None:
    asyncio.run(end([]))
