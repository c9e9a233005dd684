"""PGMQ in a database: by its extension where the server has one, else by the SQL it publishes."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg
from psycopg import Connection

from tasker_mp.errors import EngineError

# Tells a PGMQ of 1.7 or newer, which is what this has been tried with.
_REQUIRED = "pgmq.pop(text, integer)"


class PgmqError(EngineError):
    """PGMQ cannot be installed, or the one installed is too old."""


def ensure_pgmq(connection: Connection[Any]) -> None:
    """Installs PGMQ where it is missing, inside the caller's transaction."""
    if _has_required(connection):
        return
    if _schema_exists(connection):
        raise PgmqError(
            f"the PGMQ in this database has no {_REQUIRED}: run ALTER EXTENSION pgmq UPDATE, "
            "or install PGMQ 1.7 or newer on the server"
        )
    if not _create_extension(connection):
        connection.execute(_published_sql())
    if not _has_required(connection):
        raise PgmqError(
            f"the PGMQ extension of this server has no {_REQUIRED}: "
            "install PGMQ 1.7 or newer on the server, or remove it to use the SQL of `pgmq`"
        )


def _has_required(connection: Connection[Any]) -> bool:
    row = connection.execute("select to_regprocedure(%s) is not null", [_REQUIRED]).fetchone()
    return bool(row and row[0])


def _schema_exists(connection: Connection[Any]) -> bool:
    return connection.execute("select from pg_namespace where nspname = 'pgmq'").rowcount > 0


def _create_extension(connection: Connection[Any]) -> bool:
    query = "select from pg_available_extensions where name = 'pgmq'"
    if connection.execute(query).rowcount == 0:
        return False
    try:
        with connection.transaction():
            connection.execute("create extension pgmq")
    except psycopg.errors.InsufficientPrivilege:
        return False  # its SQL needs no more than the right to create a schema
    return True


def _published_sql() -> str:
    # Found, not imported: the package brings a client library that nothing here uses.
    spec = find_spec("pgmq")
    for folder in (spec.submodule_search_locations if spec else None) or []:
        path = Path(folder) / "sql" / "pgmq.sql"
        if path.exists():
            return path.read_text(encoding="utf-8")
    raise PgmqError("the SQL of PGMQ is missing: pip install --force-reinstall pgmq")
