"""Connections: session settings, and failures in one line without the password."""

import asyncio
import socket
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from tasker_mp.config import Config, DatabaseConfig
from tasker_mp.db.connect import connect, connect_async, open_database, session_conninfo
from tasker_mp.db.embedded import EmbeddedServer
from tasker_mp.errors import ConfigError, UnreachableError


def connect_in_a_loop(dsn: str) -> None:
    async def attempt() -> None:
        async with await connect_async(dsn):
            pass

    asyncio.run(attempt())


both = pytest.mark.parametrize("attempt", [connect, connect_in_a_loop], ids=["sync", "async"])


def test_a_session_has_our_settings_and_keeps_the_users(each_database: str) -> None:
    dsn = psycopg.conninfo.make_conninfo(each_database, options="-c work_mem=7MB")
    wanted = {
        "plan_cache_mode": "force_generic_plan",
        "TimeZone": "UTC",
        "statement_timeout": "1500ms",
        "application_name": "here",
        "work_mem": "7MB",
    }
    with connect(dsn, statement_timeout=1.5, application_name="here") as connection:
        assert connection.autocommit
        for name, value in wanted.items():
            assert connection.execute(f"show {name}".encode()).fetchone() == (value,)


def test_an_asynchronous_session_has_them_too(database: str) -> None:
    async def shown() -> object:
        async with await connect_async(database, statement_timeout=2) as connection:
            return await (await connection.execute("show statement_timeout")).fetchone()

    assert asyncio.run(shown()) == ("2s",)


@both
@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://me:s3cret@127.0.0.1:1/x",
        "postgresql://me:s3cret@no-such-host.invalid/x",
        "host=/nonexistent user=me password=s3cret",
    ],
)
def test_a_server_that_is_not_there(dsn: str, attempt: Callable[[str], object]) -> None:
    with pytest.raises(UnreachableError, match="cannot reach the database") as caught:
        attempt(dsn)
    assert "s3cret" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 3


@both
def test_a_server_that_does_not_answer_is_given_up_within_5_seconds(
    attempt: Callable[[str], object],
) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(1)
        began = time.monotonic()
        with pytest.raises(UnreachableError, match="timeout"):
            attempt(f"postgresql://me@127.0.0.1:{silent.getsockname()[1]}/x")
        assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    "dsn", ["postgres//me:s3cret@host/x", "embeded", "host=x password='s3cret", "postgresql://[x"]
)
def test_what_is_no_dsn_is_refused_without_repeating_a_password(dsn: str) -> None:
    with pytest.raises(ConfigError, match="is not a PostgreSQL DSN") as caught:
        session_conninfo(dsn)
    assert "s3cret" not in str(caught.value)


def test_an_embedded_database_runs_while_it_is_open(project: Path) -> None:
    config = Config(environment="test", root=project)
    with open_database(config) as dsn, connect(dsn) as connection:
        assert connection.execute("select 1").fetchone() == (1,)
    assert not EmbeddedServer(project).status().running


def test_a_dsn_is_taken_as_it_is(database: str) -> None:
    config = Config(environment="test", root=Path("/"), database=DatabaseConfig(url=database))
    with open_database(config) as dsn:
        assert dsn == database
