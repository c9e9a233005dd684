"""The supervisor's end of fast events: a thread of its own, only where somebody wants it."""

import asyncio
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from listeners import LIMIT, Collector, message

from tasker_mp.domain_events import SubscriberRegistry
from tasker_mp.engine.announcer import Announcer


async def _until(predicate: Callable[[], Any]) -> None:
    deadline = time.monotonic() + LIMIT
    while not predicate():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.002)


def test_the_announcer_loads_subscribers_in_its_thread_and_tells_them_all(
    project: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdout", sys.stdout)  # restored afterwards
    monkeypatch.setattr("tasker_mp.engine.announcer._METRICS_SECONDS", 0.01)
    troubles = [None, "the database is away", "the database is away", None, None]

    async def run() -> list[Any]:
        announcer = Announcer(project)
        announcer.expect(["eventful.subscribers", "eventful.broken", "eventful.missing"])
        announcer.announce([message("paid", n=1), message("other", n=2)])
        assert "eventful.subscribers" not in sys.modules, "nothing is imported in the loop"
        announcer.start()
        await _until(lambda: announcer.subscribers)
        announcer.announce([message("paid", n=3)])
        module = sys.modules["eventful.subscribers"]
        watching = asyncio.create_task(
            announcer.watch(lambda: {"claimed": 1}, lambda: troubles.pop(0) if troubles else None)
        )
        await _until(lambda: len(module.metrics) >= 4)
        watching.cancel()
        announcer.announce(message("paid", n=n) for n in range(3000))
        await announcer.stop()
        assert len(module.seen) == 6004, "what waits is told before the end"
        assert not announcer.active
        announcer.announce([message("paid", n=4)])
        assert [str(m) for m in module.metrics].count("the database is away") == 1
        assert {"claimed": 1} in module.metrics
        return list(module.seen[:4])

    seen = asyncio.run(run())
    assert [(name, n) for name, n, _ in seen] == [
        ("Found", 1),
        ("Made", 1),
        ("Found", 3),
        ("Made", 3),
    ]
    assert {thread for _, _, thread in seen} != {threading.get_ident()}
    assert "heard" not in capfd.readouterr().out


def test_without_subscribers_there_is_no_thread() -> None:
    async def run() -> None:
        announcer = Announcer(Path("/nowhere"))
        before = threading.active_count()
        announcer.expect([])
        announcer.start()
        announcer.announce([b"anything"])
        await announcer.watch(dict, lambda: None)
        assert (announcer.active, announcer.dropped) == (False, 0)
        assert threading.active_count() == before
        await announcer.stop()

    asyncio.run(run())


def test_a_subscriber_that_hangs_neither_stalls_the_loop_nor_the_end(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdout", sys.stdout)
    monkeypatch.setattr("tasker_mp.engine.announcer._STOP_LIMIT", 0.2)
    monkeypatch.setattr("tasker_mp.domain_events.poller.CAPACITY", 1)
    release, hung = threading.Event(), threading.Event()

    class Hangs(Collector):
        def handle(self, event: dict[str, Any]) -> None:
            hung.set()
            release.wait(LIMIT)

    async def run() -> None:
        SubscriberRegistry.instance().register(Hangs)
        announcer = Announcer(project)
        announcer.expect(["eventful.plain"])
        announcer.start()
        announcer.announce([message("a")])
        await asyncio.to_thread(hung.wait, LIMIT)
        started = time.monotonic()
        announcer.announce([message("b")] * 20_000)
        assert announcer.dropped >= 9_000
        await announcer.stop()
        assert time.monotonic() - started < 3.0
        release.set()

    asyncio.run(run())
