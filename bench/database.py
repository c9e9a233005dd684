"""The database that a measurement runs on: one of its own, and its server's settings."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from msgspec.structs import replace
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tasker_mp.config import Config
from tasker_mp.db.connect import connect, open_database

_DATABASE = "tasker_bench"
_SETTINGS = (
    "server_version",
    "fsync",
    "synchronous_commit",
    "full_page_writes",
    "wal_compression",
    "shared_buffers",
    "max_wal_size",
)


@contextmanager
def bench_database(
    config: Config, database: str = _DATABASE
) -> Iterator[tuple[Config, dict[str, str]]]:
    """The configuration moved to a fresh database of the same server, dropped afterwards."""
    with open_database(config) as dsn, connect(dsn, autocommit=True) as admin:
        name = sql.Identifier(database)
        drop = sql.SQL("drop database if exists {} with (force)").format(name)
        admin.execute(drop)
        admin.execute(sql.SQL("create database {}").format(name))
        settings = settings_of(admin)
        url = make_conninfo("", **{**conninfo_to_dict(dsn), "dbname": database})
        try:
            yield replace(config, database=replace(config.database, url=url)), settings
        finally:
            admin.execute(drop)


def settings_of(connection: psycopg.Connection[Any]) -> dict[str, str]:
    """Those that decide about speed and durability."""
    return {name: _setting(connection, name) for name in _SETTINGS}


def _setting(connection: psycopg.Connection[Any], name: str) -> str:
    row = connection.execute("select current_setting(%s)", (name,)).fetchone()
    assert row is not None
    return str(row[0])
