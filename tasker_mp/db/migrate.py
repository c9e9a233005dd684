"""Brings a database to the schema of this version, one process at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import Connection

from tasker_mp.db.connect import connect
from tasker_mp.db.migrations import (
    SQL_FOLDER,
    Applied,
    MigrationError,
    SqlFile,
    digest_of,
    pending,
    read_code,
    read_migrations,
)
from tasker_mp.db.pgmq import ensure_pgmq
from tasker_mp.errors import UnreachableError

__all__ = ["MigrationError", "MigrationReport", "SchemaStatus", "migrate", "reset", "status"]

# Any number of our own; the lock is per database.
_LOCK = 7_461_736_572

_BOOKKEEPING = """
create schema if not exists tasker;
create table if not exists tasker.schema_migrations (
    number     integer     primary key,
    name       text        not null,
    digest     text        not null,
    applied_at timestamptz not null default clock_timestamp()
);
create table if not exists tasker.schema_functions (
    digest     text        not null,
    applied_at timestamptz not null default clock_timestamp()
);
"""

# What functions/ makes: routines, views, composite types and triggers. Nothing of these may be
# made by a migration. Each drop is `restrict`, so nothing else falls with them; the loop finds
# the order. What still stands when a round drops nothing is used by something that is not ours,
# and its own error says by what.
_DROP_CODE = """
do $$
declare
    v_drop    text;
    v_dropped integer;
    v_left    text;
begin
    loop
        v_dropped := 0;
        v_left := null;
        foreach v_drop in array array(
            select format('drop trigger %I on %s', t.tgname, t.tgrelid::regclass)
            from pg_trigger t join pg_class c on c.oid = t.tgrelid
            where c.relnamespace = 'tasker'::regnamespace and not t.tgisinternal
            union all
            select format('drop %s tasker.%I',
                          case c.relkind when 'v' then 'view' when 'm' then 'materialized view'
                                         else 'type' end, c.relname)
            from pg_class c
            where c.relnamespace = 'tasker'::regnamespace and c.relkind in ('v', 'm', 'c')
            union all
            select format('drop routine %s', p.oid::regprocedure)
            from pg_proc p where p.pronamespace = 'tasker'::regnamespace)
        loop
            begin
                execute v_drop;
                v_dropped := v_dropped + 1;
            exception when dependent_objects_still_exist then
                v_left := v_drop;
            end;
        end loop;
        exit when v_left is null;
        if v_dropped = 0 then
            execute v_left;
        end if;
    end loop;
end $$;
"""

_DROP_QUEUES = """
select pgmq.drop_queue(queue_name)
from (select queue_name from pgmq.meta where queue_name like 'worker\\_%\\_queue%') q
"""


@dataclass(frozen=True)
class MigrationReport:
    """What a run did: the names of the migrations applied, and whether the code was made anew."""

    applied: tuple[str, ...]
    code_renewed: bool


@dataclass(frozen=True)
class SchemaStatus:
    """`version` is the last migration applied, 0 for none; `problem` says why none may follow."""

    version: int
    applied: tuple[str, ...]
    pending: tuple[str, ...]
    code_current: bool
    problem: str | None

    @property
    def current(self) -> bool:
        return self.problem is None and not self.pending and self.code_current


def migrate(target: str | Connection[Any], folder: Path = SQL_FOLDER) -> MigrationReport:
    """Applies what is missing to the database of a DSN or an idle connection.

    Each migration commits with its record. Another process that migrates is waited for.
    `MigrationError` where a file fails or the database does not fit.
    """
    ours, code = read_migrations(folder), read_code(folder)
    with _session(target) as connection, _clear_errors(), _alone(connection):
        missing = pending(ours, _applied(connection))
        renew = bool(missing) or _code_digest(connection) != digest_of(code)
        if missing:
            _prepare(connection)
        for file in missing:
            _apply(connection, file)
        if renew:
            _renew_code(connection, code)
        return MigrationReport(tuple(file.name for file in missing), renew)


def status(connection: Connection[Any], folder: Path = SQL_FOLDER) -> SchemaStatus:
    """Where the database stands against the files; changes nothing."""
    ours, code = read_migrations(folder), read_code(folder)
    applied = _applied(connection)
    missing: list[SqlFile] = []
    problem = None
    try:
        missing = pending(ours, applied)
    except MigrationError as error:
        problem = str(error)
    return SchemaStatus(
        version=max((row.number for row in applied), default=0),
        applied=tuple(row.name for row in applied),
        pending=tuple(file.name for file in missing),
        code_current=_code_digest(connection) == digest_of(code),
        problem=problem,
    )


def reset(target: str | Connection[Any]) -> None:
    """Drops the schema `tasker` and the queues `worker_%_queue%`, in one transaction."""
    with _session(target) as connection, _alone(connection), connection.transaction():
        connection.execute("drop schema if exists tasker cascade")
        if _exists(connection, "pgmq.meta"):
            connection.execute(_DROP_QUEUES)


# -- steps of a run -------------------------------------------------------------------------------


def _prepare(connection: Connection[Any]) -> None:
    """Code goes first: a migration may change a table that a view or a function hangs on."""
    with connection.transaction():
        connection.execute(_BOOKKEEPING)
        ensure_pgmq(connection)
        connection.execute(_DROP_CODE)
        connection.execute("delete from tasker.schema_functions")


def _apply(connection: Connection[Any], file: SqlFile) -> None:
    with _named(file), connection.transaction():
        connection.execute(file.text)
        connection.execute(
            "insert into tasker.schema_migrations (number, name, digest) values (%s, %s, %s)",
            [file.number, file.name, file.digest],
        )


def _renew_code(connection: Connection[Any], code: list[SqlFile]) -> None:
    with connection.transaction():
        connection.execute(_BOOKKEEPING)
        connection.execute(_DROP_CODE)
        for file in code:
            with _named(file):
                connection.execute(file.text)
        connection.execute("delete from tasker.schema_functions")
        connection.execute(
            "insert into tasker.schema_functions (digest) values (%s)", [digest_of(code)]
        )


@contextmanager
def _clear_errors() -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        if error.sqlstate is None:
            raise UnreachableError(f"the database went away while migrating: {error}") from error
        detail = f": {error.diag.message_detail}" if error.diag.message_detail else ""
        raise MigrationError(
            f"cannot migrate: {error.diag.message_primary}{detail} ({error.sqlstate})"
        ) from error


@contextmanager
def _named(file: SqlFile) -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        if error.sqlstate is None:
            raise
        reason = error.diag.message_primary or str(error)
        where = f" at character {p}" if (p := error.diag.statement_position) else ""
        raise MigrationError(f"{file.name} failed{where}: {reason} ({error.sqlstate})") from error


def _applied(connection: Connection[Any]) -> list[Applied]:
    if not _exists(connection, "tasker.schema_migrations"):
        return []
    query = "select number, name, digest from tasker.schema_migrations order by number"
    return [Applied(*row) for row in connection.execute(query).fetchall()]


def _code_digest(connection: Connection[Any]) -> str | None:
    if not _exists(connection, "tasker.schema_functions"):
        return None
    row = connection.execute("select digest from tasker.schema_functions").fetchone()
    return str(row[0]) if row else None


def _exists(connection: Connection[Any], relation: str) -> bool:
    row = connection.execute("select to_regclass(%s) is not null", [relation]).fetchone()
    return bool(row and row[0])


@contextmanager
def _session(target: str | Connection[Any]) -> Iterator[Connection[Any]]:
    """A connection in autocommit, so that every transaction is one that is written here."""
    if isinstance(target, str):
        # No time limit: an index over a large table takes what it takes.
        with connect(target, statement_timeout=0) as connection:
            yield connection
        return
    before = target.autocommit
    target.autocommit = True
    try:
        yield target
    finally:
        target.autocommit = before


@contextmanager
def _alone(connection: Connection[Any]) -> Iterator[None]:
    connection.execute("select pg_advisory_lock(%s)", [_LOCK])
    try:
        yield
    finally:
        if not connection.closed:
            connection.execute("select pg_advisory_unlock(%s)", [_LOCK])
