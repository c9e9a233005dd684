"""What goes on while nothing is to be done: queries and processor time."""

import time
from typing import Any, NamedTuple

import psutil
import psycopg
from psycopg.conninfo import conninfo_to_dict

from bench.project import Served
from bench.usage import DATABASE, SUPERVISOR, WORKERS, children_of, exact_seconds

ZYGOTE = "zygote"
_TRANSACTIONS = (
    "select (xact_commit + xact_rollback)::float8 from pg_stat_database where datname = %s"
)


class Rest(NamedTuple):
    """Transactions a second in the supervisor's database, and percent of a core by group."""

    queries: float
    cpu: dict[str, float]


class Idleness:
    """Counts through `outside`, a connection to another database of the server, so that counting is
    not counted; and asks the supervisor nothing."""

    def __init__(self, served: Served, outside: psycopg.Connection[Any]) -> None:
        self._supervisor = served.system.pid
        self._meter = served.meter()
        self._outside = outside
        self._database = str(conninfo_to_dict(served.config.database.url)["dbname"])

    def watch(self, seconds: float) -> Rest:
        """For so long. Autovacuum's transactions count too; each of the engine's queries is one."""
        began, before, spent = time.monotonic(), self._transactions(), self._cpu()
        time.sleep(seconds)
        took = time.monotonic() - began
        queries = (self._transactions() - before) / took
        cpu = {group: 100 * (now - spent[group]) / took for group, now in self._cpu().items()}
        return Rest(queries, cpu)

    def _transactions(self) -> float:
        row = self._outside.execute(_TRANSACTIONS, (self._database,)).fetchone()
        assert row is not None
        return float(row[0])

    def _cpu(self) -> dict[str, float]:
        own = {
            SUPERVISOR: [psutil.Process(self._supervisor)],
            WORKERS: children_of(self._supervisor, "worker "),
            ZYGOTE: children_of(self._supervisor, ZYGOTE),
        }
        cpu = {group: sum(map(exact_seconds, processes)) for group, processes in own.items()}
        database = self._meter.cpu_seconds().get(DATABASE)
        return cpu if database is None else cpu | {DATABASE: database}
