"""The bench's own view of the database, by a connection that the system knows nothing of."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import psycopg


class Probe:
    """Reads; `psycopg.OperationalError` while the server is away."""

    def __init__(self, dsn: str) -> None:
        self.connection = psycopg.connect(dsn, autocommit=True, connect_timeout=4)
        # A look must take little of the machine that is measured.
        self.connection.execute("set max_parallel_workers_per_gather = 0")

    def completions(self) -> int:
        """Steps whose finish is committed."""
        return int(self._value("select count(*) from tasker.steps where state = 'complete'"))

    def open_tasks(self) -> int:
        return int(self._value("select count(*) from tasker.tasks where completed_at is null"))

    def claims(self, supervisor: UUID) -> int:
        """The batches of steps that a supervisor holds."""
        return int(self._value("select count(*) from tasker.claims where owner = %s", supervisor))

    def supervisor(self, pid: int) -> UUID:
        """The latest incarnation that has that process id."""
        found = self._value(
            "select supervisor_uuid from tasker.supervisors where pid = %s"
            " order by started_at desc limit 1",
            pid,
        )
        assert isinstance(found, UUID)
        return found

    def now(self) -> float:
        """The database's clock, in seconds."""
        return float(self._value("select extract(epoch from clock_timestamp())"))

    def finished_between(self, begin: float, end: float) -> tuple[int, float]:
        """Steps completed in that time of the database's clock, and when the last of them was."""
        row = self._row(
            "select count(*), coalesce(extract(epoch from max(finished_at)), 0)::float8"
            " from tasker.steps where state = 'complete'"
            " and finished_at > to_timestamp(%s) and finished_at <= to_timestamp(%s)",
            (begin, end),
        )
        return int(row[0]), float(row[1])

    def _value(self, query: str, *parameters: object) -> Any:
        return self._row(query, parameters)[0]

    def _row(self, query: str, parameters: Sequence[object]) -> Sequence[Any]:
        row = self.connection.execute(query.encode(), parameters).fetchone()
        assert row is not None
        return row

    def close(self) -> None:
        self.connection.close()

    def __enter__(self) -> "Probe":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()
