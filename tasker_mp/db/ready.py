"""A database that a command can use at once: running, reachable, migrated."""

from collections.abc import Iterator
from contextlib import contextmanager

from tasker_mp.config import Config
from tasker_mp.db.connect import EMBEDDED, connect, open_database
from tasker_mp.db.migrate import migrate, status


@contextmanager
def ready_database(config: Config, *, migrate_any: bool = False) -> Iterator[str]:
    """The DSN of the configured database, for as long as the block runs.

    The embedded one is ours and always migrated; another only with `migrate_any`. A current schema
    costs one query.
    """
    with open_database(config) as dsn:
        if migrate_any or config.database.url == EMBEDDED:
            with connect(dsn, autocommit=True) as connection:
                found = status(connection)
            if found.pending or not found.code_current:
                migrate(dsn)
        yield dsn
