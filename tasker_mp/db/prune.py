"""Deletes tasks by age, some in each transaction."""

import time
from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from msgspec import Struct
from psycopg import Connection

from tasker_mp.db.queries import query

FINISHED = ("complete", "cancelled", "resolved_manually")
"""States of tasks that nobody needs to look at any more; one in error stays until somebody does."""

DAY = 86400.0
BATCH = 500
"""Tasks looked at in one transaction: a few tens of milliseconds."""


class Pruned(Struct, frozen=True):
    """How many rows of each kind are gone."""

    tasks: int = 0
    steps: int = 0
    transitions: int = 0
    idempotency_keys: int = 0

    def __add__(self, other: "Pruned") -> "Pruned":
        return Pruned(
            self.tasks + other.tasks,
            self.steps + other.steps,
            self.transitions + other.transitions,
            self.idempotency_keys + other.idempotency_keys,
        )


def prune_parameters(
    after: UUID | bytes | None, seconds: float, states: Collection[str], limit: int = BATCH
) -> dict[str, Any]:
    """Those of `prune_tasks.sql`."""
    last = UUID(bytes=after) if isinstance(after, bytes) else after
    return {"after": last, "seconds": seconds, "states": list(states), "limit": limit}


def prune(connection: Connection[Any], days: float, states: Sequence[str] = FINISHED) -> Pruned:
    """Delete all tasks in `states` that ended more than `days` ago.

    Rests for as long as it works, so that whoever works with the database gets on with it.
    """
    total, last = Pruned(), None
    while True:
        started = time.monotonic()
        parameters = prune_parameters(last, days * DAY, states)
        row = connection.execute(query("prune_tasks"), parameters, prepare=True).fetchone()
        assert row is not None
        last = row[0]
        total += Pruned(*row[1:])
        if last is None:
            return total
        time.sleep(time.monotonic() - started)
