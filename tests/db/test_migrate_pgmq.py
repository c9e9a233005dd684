"""PGMQ comes with the first migration, and an old one is refused."""

import psycopg
import pytest

from tasker_mp.db.migrate import migrate, reset
from tasker_mp.db.pgmq import PgmqError, ensure_pgmq


def test_pgmq_is_installed_once(each_empty_database: str) -> None:
    with psycopg.connect(each_empty_database) as connection:
        ensure_pgmq(connection)
        connection.execute("select pgmq.create('a'), pgmq.create('b')")
        ensure_pgmq(connection)
        queues = connection.execute("select count(*) from pgmq.list_queues()").fetchone()
    assert queues == (2,)


def test_a_pgmq_without_what_we_call_is_refused(empty_database: str) -> None:
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("create schema pgmq")
        with pytest.raises(PgmqError, match=r"has no pgmq\.pop\(text, integer\): run ALTER EXT"):
            migrate(connection)
        found = connection.execute("select to_regclass('tasker.schema_migrations')").fetchone()
    assert found == (None,)


def test_an_ordinary_database_owner_may_install_it(empty_database: str) -> None:
    with psycopg.connect(empty_database, autocommit=True) as connection:
        role = f"owner_of_{connection.info.dbname}"
        connection.execute(f"create role {role}".encode())
        connection.execute(f"alter database {connection.info.dbname} owner to {role}".encode())
        try:
            connection.execute(f"set role {role}".encode())
            assert migrate(connection).applied
            reset(connection)
            connection.execute("drop schema pgmq cascade")
        finally:
            connection.execute("reset role")
            connection.execute(f"drop owned by {role} cascade".encode())
            database = connection.info.dbname
            connection.execute(f"alter database {database} owner to current_user".encode())
            connection.execute(f"drop role {role}".encode())
