"""The three ways of finding work, told apart: by polls, by notifications, by both."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from engine_project import ProjectFolder, Running, eventually
from psycopg.conninfo import conninfo_to_dict, make_conninfo

_LISTENING = """
    select pid from pg_stat_activity
    where query = 'listen tasker_ready' and datname = %s"""
_FAR = 60.0
"""An interval that no test lives to see the end of."""

# Found before the server's own function, by what announces work.
_QUIET = """
    create schema quiet;
    create function quiet.pg_notify(text, text) returns void language sql as 'select';
    alter function tasker.send_ready set search_path = quiet, pg_catalog"""
_LOUD = "alter function tasker.send_ready reset search_path"


@pytest.fixture
def admin(folder: ProjectFolder) -> Iterator[psycopg.Connection]:
    """A connection from which the test's database can be closed to newcomers."""
    with psycopg.connect(make_conninfo(folder.dsn, dbname="postgres"), autocommit=True) as admin:
        yield admin


def _name(folder: ProjectFolder) -> str:
    return str(conninfo_to_dict(folder.dsn)["dbname"])


def _listeners(admin: psycopg.Connection, folder: ProjectFolder) -> list[int]:
    return [row[0] for row in admin.execute(_LISTENING, [_name(folder)])]


@contextmanager
def _quiet(folder: ProjectFolder) -> Iterator[None]:
    """Work is enqueued, and nobody is told."""
    with psycopg.connect(folder.dsn, autocommit=True) as connection:
        connection.execute(_QUIET)
        yield
        connection.execute(_LOUD)


def _settled(running: Running, mode: str) -> None:
    """It has been through whatever it does once at its start."""
    eventually(lambda: running.status()["subscriber_active"] == (mode != "polling"))
    assert running.run("call")[0].state == "complete"


def test_polling_hears_nothing_and_finds_work_at_its_interval(
    folder: ProjectFolder, admin: psycopg.Connection
) -> None:
    folder.template("call")
    with folder.running(worker__mode="polling", worker__poll_interval=0.5) as running:
        _settled(running, "polling")
        assert _listeners(admin, folder) == []
        begun = time.monotonic()
        for _ in range(5):
            assert running.run("call")[0].state == "complete"
        # Each was submitted just after the poll that found the one before.
        assert time.monotonic() - begun > 4 * 0.5 * 0.8


@pytest.mark.parametrize("mode", ["event_driven", "hybrid"])
def test_a_notification_is_enough_where_it_is_listened_for(
    folder: ProjectFolder, admin: psycopg.Connection, mode: str
) -> None:
    folder.template("call")
    with folder.running(worker__mode=mode, worker__poll_interval=_FAR) as running:
        _settled(running, mode)
        assert len(_listeners(admin, folder)) == 1
        for _ in range(5):
            assert running.run("call")[0].state == "complete"


@pytest.mark.parametrize("mode", ["polling", "hybrid"])
def test_a_poll_finds_what_nobody_announced(folder: ProjectFolder, mode: str) -> None:
    folder.template("call")
    with folder.running(worker__mode=mode, worker__poll_interval=0.1) as running:
        _settled(running, mode)
        with _quiet(folder):
            assert running.run("call")[0].state == "complete"


def test_event_driven_does_not_poll_while_it_listens(folder: ProjectFolder) -> None:
    folder.template("call")
    with folder.running(worker__mode="event_driven", worker__poll_interval=0.1) as running:
        _settled(running, "event_driven")
        with _quiet(folder):
            [unheard] = running.submit("call")
            until = time.monotonic() + 2.5
            eventually(lambda: time.monotonic() > until)
            assert running.client.get_task(unheard).state == "pending"
        [heard] = running.submit("call")
        assert {t.state for t in running.wait([unheard, heard])} == {"complete"}


@pytest.mark.parametrize("mode", ["event_driven", "hybrid"])
def test_without_its_listening_connection_a_supervisor_polls_until_it_has_another(
    folder: ProjectFolder, admin: psycopg.Connection, mode: str
) -> None:
    folder.template("call")
    with folder.running(worker__mode=mode, worker__poll_interval=0.1) as running:
        _settled(running, mode)
        with _closed(admin, folder):
            admin.execute("select pg_terminate_backend(%s)", _listeners(admin, folder))
            eventually(lambda: not running.status()["subscriber_active"])
            for _ in range(3):
                assert running.run("call")[0].state == "complete"
            assert _listeners(admin, folder) == []
            assert not running.status()["subscriber_active"]
        eventually(lambda: running.status()["subscriber_active"], 40)
        assert len(_listeners(admin, folder)) == 1
        assert running.run("call")[0].state == "complete"


@contextmanager
def _closed(admin: psycopg.Connection, folder: ProjectFolder) -> Iterator[None]:
    """Who is connected stays connected; nobody comes in."""
    alter = f"alter database {_name(folder)} allow_connections"
    admin.execute(f"{alter} false")
    try:
        yield
    finally:
        admin.execute(f"{alter} true")
