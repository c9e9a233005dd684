"""A transaction that somebody else holds open, so that nothing can be vacuumed."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median
from typing import NamedTuple

from bench.size.flow import rate
from bench.size.row import Row
from bench.size.site import Site, open_site
from tasker_mp.config import Config
from tasker_mp.db.connect import connect

_GOAL = 0.8
_LOADED_ROUNDS = 3
"""Under the held snapshot, for each one on the fresh database."""
_DEAD = "select coalesce(sum(n_dead_tup), 0)::bigint from pg_stat_user_tables"


class Round(NamedTuple):
    """Steps a second, so many seconds after the snapshot was taken; `fresh` just before."""

    at: float
    loaded: float
    fresh: float


class Held:
    """Rounds for as long as it is held; what counts are those of the last quarter of the time."""

    name = "held"

    def __init__(self, seconds: float, round_tasks: int) -> None:
        self._limit = seconds
        self._round_tasks = round_tasks
        self._rounds: list[Round] = []
        self._dead = 0
        self.total = max(1, round(seconds))

    def measure(self, config: Config, advance: Callable[[], None]) -> None:
        with open_site(config, "fresh") as fresh, open_site(config, "loaded") as loaded:
            for site in (fresh, loaded):
                rate(site, self._round_tasks // 2)
            with _snapshot(loaded):
                started = time.monotonic()
                told = 0
                while not self._rounds or time.monotonic() - started < self._limit:
                    beside = rate(fresh, self._round_tasks)
                    for _ in range(_LOADED_ROUNDS):
                        found = rate(loaded, self._round_tasks)
                        self._rounds.append(Round(time.monotonic() - started, found, beside))
                    while told < min(self.total, time.monotonic() - started):
                        told += 1
                        advance()
                    self._dead = loaded.value(_DEAD)

    def rows(self) -> list[Row]:
        if not self._rounds:
            return []
        last = self._rounds[-1].at
        late = [each for each in self._rounds if each.at >= 0.75 * last]
        overall = median(each.loaded / each.fresh for each in self._rounds)
        course = ", ".join(f"{each.at:.0f}: {each.loaded:,.0f}" for each in self._rounds)
        notes: dict[str, float | str] = {
            "ratio over all the time": round(overall, 3),
            "dead rows at the end": self._dead,
            "steps/s by second": course,
        }
        loaded, fresh = [each.loaded for each in late], [each.fresh for each in late]
        minutes = min(last, self._limit or last) / 60
        load = f"a transaction open for {minutes:.2g} min, its last quarter"
        return [Row(self.name, load, "steps/s", loaded, fresh, _GOAL, notes)]


@contextmanager
def _snapshot(site: Site) -> Iterator[None]:
    with connect(site.config.database.url, autocommit=False, application_name="holder") as holder:
        holder.execute("set transaction isolation level repeatable read, read only")
        holder.execute("select count(*) from tasker.templates")
        yield
        holder.rollback()
