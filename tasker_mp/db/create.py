"""Creates the database that a DSN names, on a server that lacks it."""

from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tasker_mp.db.connect import connect, session_conninfo
from tasker_mp.errors import EngineError, UnreachableError

_MAINTENANCE = "postgres"


def ensure_database(dsn: str) -> bool:
    """Whether it was created now; the error of connecting to it where it cannot be created."""
    try:
        connect(dsn).close()
    except UnreachableError:
        # The refusal has no SQLSTATE, so ask the server whether a missing database is the reason.
        if not _create_missing(dsn):
            raise
        return True
    return False


def _create_missing(dsn: str) -> bool:
    name = conninfo_to_dict(session_conninfo(dsn)).get("dbname")
    if not name:
        return False
    try:
        connection = connect(make_conninfo(dsn, dbname=_MAINTENANCE), autocommit=True)
    except EngineError:
        return False
    with connection:
        query = "select from pg_database where datname = %s"
        if connection.execute(query, [name]).fetchone() is not None:
            return False
        connection.execute(sql.SQL("create database {}").format(sql.Identifier(str(name))))
    return True
