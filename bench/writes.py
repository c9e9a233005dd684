"""The rows that a pattern writes, counted by the server."""

import time
from typing import Any, NamedTuple

import psycopg

from bench.flow import Crowd
from bench.patterns import Pattern
from bench.project import serving
from tasker_mp.config import Config
from tasker_mp.db.connect import connect
from tasker_mp.errors import EngineError

_COUNTERS = (
    "select sum(n_tup_ins)::float8, sum(n_tup_upd)::float8, sum(n_tup_del)::float8,"
    " sum(n_tup_hot_upd)::float8 from pg_stat_user_tables"
)
_OTHERS = (
    "select count(*) from pg_stat_activity where datname = current_database()"
    " and backend_type = 'client backend' and pid <> pg_backend_pid()"
)
_LIMIT = 20.0
_POLL = 0.02


class Writes(NamedTuple):
    """Rows a step, in all tables; of the updates, how many percent touched no index (HOT)."""

    inserted: float
    updated: float
    deleted: float
    hot_percent: float


def count_writes(config: Config, pattern: Pattern, tasks: int) -> Writes:
    """Of a run by itself; a supervisor's start and end, a few rows, are counted too.

    Backends report what they wrote when they leave, or once they have been idle for ten seconds.
    """
    with connect(config.database.url) as connection:
        _await_others_gone(connection)
        before = _counters(connection)
        with serving(config) as served:
            Crowd(served.client, served.connection, pattern, tasks).once()
        _await_others_gone(connection)
        inserted, updated, deleted, hot = (
            now - then for now, then in zip(_counters(connection), before, strict=True)
        )
    steps = tasks * pattern.steps
    return Writes(inserted / steps, updated / steps, deleted / steps, 100 * hot / max(updated, 1))


def _counters(connection: psycopg.Connection[Any]) -> list[float]:
    row = connection.execute(_COUNTERS).fetchone()
    assert row is not None
    return [value or 0.0 for value in row]


def _await_others_gone(connection: psycopg.Connection[Any]) -> None:
    deadline = time.monotonic() + _LIMIT
    while (connection.execute(_OTHERS).fetchone() or (0,))[0]:
        if time.monotonic() > deadline:
            raise EngineError(
                f"others still use the database of the measurement after {_LIMIT:g} s"
            )
        time.sleep(_POLL)
