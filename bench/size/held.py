"""A transaction that somebody else holds open, so that nothing can be vacuumed."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median

from bench.size.flow import rate
from bench.size.row import Row
from bench.size.site import Site, open_site
from tasker_mp.config import Config
from tasker_mp.db.connect import connect

_GOAL = 0.8
_LOADED_ROUNDS = 3
"""Under the held snapshot, for each one on the fresh database."""
_DEAD = "select coalesce(sum(n_dead_tup), 0)::bigint from pg_stat_user_tables"


class Held:
    """Rounds for as long as it is held; what counts are those of the last quarter of the time."""

    name = "held"

    def __init__(self, seconds: float, round_tasks: int) -> None:
        self._limit = seconds
        self._round_tasks = round_tasks
        self._fresh: list[float] = []
        self._loaded: list[tuple[float, float]] = []
        self._dead = 0
        self.total = max(1, round(seconds))

    def measure(self, config: Config, advance: Callable[[], None]) -> None:
        with open_site(config, "fresh") as fresh, open_site(config, "loaded") as loaded:
            for site in (fresh, loaded):
                rate(site, self._round_tasks // 2)
            with _snapshot(loaded):
                started = time.monotonic()
                told = 0
                while not self._loaded or time.monotonic() - started < self._limit:
                    self._fresh.append(rate(fresh, self._round_tasks))
                    for _ in range(_LOADED_ROUNDS):
                        found = rate(loaded, self._round_tasks)
                        self._loaded.append((time.monotonic() - started, found))
                    while told < min(self.total, time.monotonic() - started):
                        told += 1
                        advance()
                    self._dead = loaded.value(_DEAD)

    def rows(self) -> list[Row]:
        if not self._loaded:
            return []
        late = 0.75 * self._loaded[-1][0]
        last = [found for at, found in self._loaded if at >= late]
        overall = median(found for _, found in self._loaded) / median(self._fresh)
        notes: dict[str, float | str] = {
            "ratio over all the time": round(overall, 3),
            "dead rows at the end": self._dead,
            "steps/s by second": ", ".join(f"{at:.0f}: {found:,.0f}" for at, found in self._loaded),
        }
        load = f"a transaction open for {self._loaded[-1][0]:,.0f} s, its last quarter"
        return [Row(self.name, load, "steps/s", last, self._fresh, _GOAL, notes)]


@contextmanager
def _snapshot(site: Site) -> Iterator[None]:
    with connect(site.config.database.url, autocommit=False, application_name="holder") as holder:
        holder.execute("set transaction isolation level repeatable read, read only")
        holder.execute("select count(*) from tasker.templates")
        yield
        holder.rollback()
