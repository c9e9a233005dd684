"""Which tasks are meant, as parameters of the queries that list and count them."""

from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct

from tasker_mp.identity import first_uuid_at

SCAN_LIMIT = 100_000
"""Tasks that are looked through for those that match, unless they are all to be found."""

_FIRST, _LAST = UUID(int=0), UUID(int=(1 << 128) - 1)


class TaskFilter(Struct, kw_only=True, frozen=True):
    """None of a field is any. Submitted at `since` or later, and before `until`. A task without a
    correlation id of its own has its UUID for one."""

    state: str | None = None
    namespace: str | None = None
    name: str | None = None
    version: str | None = None
    tag: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    correlation_id: UUID | None = None

    def parameters(self, scan: int | None = SCAN_LIMIT) -> dict[str, Any]:
        """Those of `list_tasks.sql` but for its limit; all of `summarize_tasks.sql`."""
        return {
            "state": self.state,
            "namespace": self.namespace,
            "template": self.name,
            "version": self.version,
            "tag": self.tag,
            "correlation": self.correlation_id,
            "from": first_uuid_at(self.since) if self.since else _FIRST,
            "before": first_uuid_at(self.until) if self.until else _LAST,
            "scan": scan,
        }


class TaskCounts(Struct, kw_only=True):
    """How many tasks are in each state that one is in, of the `passed` newest ones that were looked
    at; `all`: there are no more."""

    states: dict[str, int]
    passed: int
    all: bool


def task_counts(rows: list[tuple[Any, ...]], scan: int | None) -> TaskCounts:
    """From the rows of `summarize_tasks.sql`."""
    passed = sum(row[2] for row in rows)
    states = {state: count for state, count, _ in rows if count}
    return TaskCounts(states=states, passed=passed, all=scan is None or passed < scan)
