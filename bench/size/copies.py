"""Tasks by the million in a few statements: copies of one that the engine has made."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg

_SQL = Path(__file__).parent / "sql"
_COPY = (_SQL / "copy_tasks.sql").read_bytes()
_ENQUEUE = (_SQL / "enqueue_copies.sql").read_bytes()
CHUNK = 10_000
"""Tasks a statement."""


def copy_task(
    connection: psycopg.Connection[Any],
    sample: UUID,
    count: int,
    advance: Callable[[], None] = lambda: None,
) -> None:
    """Make `count` tasks like `sample`; if it waits in its queue, so will they, in front of later
    ones. `advance()` after each chunk."""
    for first in range(1, count + 1, CHUNK):
        size = min(CHUNK, count + 1 - first)
        with connection.transaction():
            row = connection.execute(
                _COPY, {"sample": sample, "first": first, "copies": size, "total": count}
            ).fetchone()
            assert row is not None
            connection.execute(_ENQUEUE, {"tasks": row[0]})
        advance()


def chunks(count: int) -> int:
    """How often `copy_task` will call `advance`."""
    return -(-count // CHUNK)
