"""What the machine takes for the things that no task can do without."""

import time
from statistics import median
from typing import Any, LiteralString, NamedTuple

import psycopg

from bench.latency.echo import Echo

_TABLE = "create table if not exists public.bench_floor (n bigint)"
_INSERT = "insert into public.bench_floor values (1)"


class Need(NamedTuple):
    """How many of each: durable commits, round trips to the database without one, and wake-ups of
    another process."""

    commits: int = 0
    round_trips: int = 0
    wake_ups: int = 0

    def __str__(self) -> str:
        names = zip(self, ("commit", "round trip", "wake-up"), strict=True)
        return ", ".join(f"{n} {name}{'s' * (n > 1)}" for n, name in names if n)


class Floors(NamedTuple):
    """Milliseconds of one: an insert of one row, committed and flushed; `select 1`; an eventfd
    written until the process that waits for it runs, on another core."""

    commit: float
    round_trip: float
    wake_up: float

    def least(self, need: Need) -> float:
        """Milliseconds of all of it, one after the other."""
        return sum(count * each for count, each in zip(need, self, strict=True))


class FloorMeter:
    """Takes some of each now and then, between the tasks that they are a floor of: a disk that is
    slow for a while is slow for both."""

    def __init__(self, connection: psycopg.Connection[Any], echo: Echo) -> None:
        self._connection = connection
        self._echo = echo
        self._commits: list[float] = []
        self._round_trips: list[float] = []
        self._wake_ups: list[float] = []
        connection.execute(_TABLE)

    def take(self, count: int) -> None:
        """So many of each."""
        for _ in range(count):
            self._commits.append(self._took(_INSERT))
            self._round_trips.append(self._took("select 1"))
        self._wake_ups += (taken / 2 for taken in self._echo.round_trips(count))

    def _took(self, query: LiteralString) -> float:
        began = time.perf_counter()
        self._connection.execute(query, prepare=True)
        return time.perf_counter() - began

    def floors(self) -> Floors:
        """The medians since the last call."""
        taken = (self._commits, self._round_trips, self._wake_ups)
        found = Floors(*(1000 * median(each) for each in taken))
        for each in taken:
            each.clear()
        return found
