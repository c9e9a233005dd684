"""A steady flow: so many tasks in flight all the time, one submitted for each that ends."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple
from uuid import UUID

import psycopg

from bench.patterns import Pattern
from bench.usage import Meter, Usage
from tasker_mp.client import Client, Submission
from tasker_mp.errors import EngineError

_LIMIT = 120.0
_SUBMIT = 1000
_LOOK_SHARE = 9
"""Between two looks for ends, so many times as long as one takes: they cost the work its cores."""
_SHORTEST_PAUSE = 0.001
_ENDED = (
    "select task_uuid, state from tasker.tasks"
    " where task_uuid = any (%s) and completed_at is not null"
)


class Flow(NamedTuple):
    """What was seen while the flow was steady: how many of the tasks that ended are not complete,
    milliseconds from before each one's submit until its end was seen (ascending), and the cost."""

    failed: int
    latencies: list[float]
    usage: Usage


class Crowd:
    """Tasks of one pattern in flight, `level` of them; at least `pause` seconds between two looks
    for ends."""

    def __init__(
        self,
        client: Client,
        connection: psycopg.Connection[Any],
        pattern: Pattern,
        level: int,
        limit: float = _LIMIT,
        pause: float = _SHORTEST_PAUSE,
    ) -> None:
        self._client = client
        self._connection = connection
        self._submission = Submission(
            namespace=pattern.namespace, name=pattern.template, context=pattern.context
        )
        self._level = level
        self._limit = limit
        self._pause = pause
        self._since: dict[UUID, float] = {}
        self._latencies: list[float] = []
        self._failed = 0
        self._heard = False

    def flow(self, seconds: float, meter: Meter) -> Flow:
        """Measured for so long, and until a crowd has ended, after a first one has; returns when
        nothing is left. It begins and ends where a task has ended, so that few and long steps are
        counted whole."""
        self._while(lambda: len(self._latencies) < self._level, self._level)
        self._latencies, self._failed = [], 0
        before, began = meter.read(), time.monotonic()
        self._while(
            lambda: (
                time.monotonic() - began < seconds
                or len(self._latencies) < self._level
                or not self._heard
            ),
            self._level,
        )
        usage = meter.read().since(before)
        latencies, failed = sorted(self._latencies), self._failed
        self._while(lambda: bool(self._since), 0)
        return Flow(failed, latencies, usage)

    def once(self) -> None:
        """One crowd, and nothing after it."""
        self._submit(self._level)
        self._while(lambda: bool(self._since), 0)

    def _while(self, more: Callable[[], bool], level: int) -> None:
        """Keep `level` tasks in flight as long as `more` says."""
        heard = time.monotonic()
        while more():
            self._submit(level - len(self._since))
            self._heard = self._look()
            if self._heard:
                heard = time.monotonic()
            elif time.monotonic() - heard > self._limit:
                raise EngineError(f"{len(self._since)} tasks did not end within {self._limit:g} s")

    def _submit(self, count: int) -> None:
        for start in range(0, count, _SUBMIT):
            now = time.monotonic()
            some = [self._submission] * min(_SUBMIT, count - start)
            self._since.update(dict.fromkeys(self._client.submit_many(some), now))

    def _look(self) -> bool:
        """Whether any task was seen to have ended; rests after the look."""
        began = time.monotonic()
        ended = self._connection.execute(_ENDED, (list(self._since),), prepare=True).fetchall()
        now = time.monotonic()
        for uuid, state in ended:
            self._latencies.append((now - self._since.pop(uuid)) * 1000)
            self._failed += state != "complete"
        time.sleep(max(self._pause, _LOOK_SHARE * (now - began)))
        return bool(ended)
