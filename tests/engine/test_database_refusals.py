"""The database answers, but with refusals: cut sessions, time-outs, no connection left."""

import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg
import pytest
from engine_project import ProjectFolder, Running, eventually, step
from own_server import LIMIT, OwnServer, own_server

from tasker_mp.client.client import Client

_CUT_SECONDS = 8.0
_FEW = 16
"""`max_connections`: a supervisor takes five, its start and a client some more."""


@pytest.fixture
def few() -> Iterator[OwnServer]:
    """A server that has no more than a few connections to give."""
    with own_server(embedded=False, settings={"max_connections": _FEW}) as own:
        yield own


def test_a_session_that_is_cut_every_second_costs_nothing(folder: ProjectFolder) -> None:
    """Whichever it is; no process dies, so nothing runs twice."""
    pace = random.Random(3)
    folder.template("chain", step("a", method="short"), step("b", "a", method="call"))
    with folder.running() as running, psycopg.connect(folder.dsn, autocommit=True) as admin:
        uuids, cuts = [], 0
        until = time.monotonic() + _CUT_SECONDS
        while time.monotonic() < until:
            uuids += running.submit("chain", 60)
            cuts += _cut(admin, pace.choice(eventually(lambda: _sessions(admin))))
            time.sleep(1)  # the fault's own pace
        tasks = running.wait(uuids, LIMIT)
    assert cuts >= 5
    assert {(t.state, *(s.attempts for s in t.steps)) for t in tasks} == {("complete", 1, 1)}
    assert set(folder.executions().values()) == {1}


def test_statements_that_time_out_are_repeated_until_they_do_not(folder: ProjectFolder) -> None:
    """Somebody holds a lock that every claim and every finish needs."""
    folder.template("chain", step("a", method="short"), step("b", "a", method="call"))
    with (
        folder.running(database__statement_timeout=0.2, worker__max_in_flight=40) as running,
        psycopg.connect(folder.dsn) as other,
    ):
        uuids = running.submit("chain", 150)
        eventually(lambda: len(folder.ledger()) >= 40, LIMIT, "40 executions")
        other.execute("lock table tasker.steps in access exclusive mode")
        ran = _settled_count(folder)
        assert running.status()["in_flight"] <= 40
        assert running.status()["database_connected"], "a time-out is no reason to hang up"
        other.rollback()
        tasks = running.wait(uuids, LIMIT)
        assert ran < 300
        assert {(t.state, *(s.attempts for s in t.steps)) for t in tasks} == {("complete", 1, 1)}
        assert set(folder.executions().values()) == {1}


def _settled_count(folder: ProjectFolder) -> int:
    """How much has run, once nothing more has begun for two seconds: several time-outs."""
    count, since = -1, time.monotonic()

    def still() -> bool:
        nonlocal count, since
        if (now := len(folder.ledger())) != count:
            count, since = now, time.monotonic()
        return time.monotonic() - since > 2

    eventually(still, LIMIT, "everything that was claimed has run")
    return count


# -- no connection left ---------------------------------------------------------------------------


def test_a_supervisor_that_gets_no_connection_says_so_and_exits_with_3(few: OwnServer) -> None:
    with _all_connections(few):
        command = [sys.executable, "-m", "tasker_mp", "--dsn", few.dsn, "start"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    error = done.stderr.splitlines()[-1]
    assert done.returncode == 3, done.stderr
    assert error.startswith("error: cannot reach the database")
    assert "too many clients" in error
    assert "Traceback" not in done.stderr


def test_a_supervisor_that_loses_its_connections_to_others_goes_on_when_they_leave(
    few: OwnServer,
) -> None:
    with few.folder.running() as running:
        uuids = few.load(running, 200)
        running.client.close()
        with _all_connections(few) as others:
            eventually(lambda: _take_over(few, others), LIMIT, "no session left")
            eventually(lambda: not running.status()["database_connected"], LIMIT, "it has noticed")
            assert running.system.is_running()
        with Client(few.dsn) as client:
            Running(few.folder, running.system, client).wait(uuids, LIMIT)
        few.check(uuids)


def _take_over(own: OwnServer, others: list[psycopg.Connection]) -> bool:
    """Cut the supervisor's sessions and be faster to take their places than one that waits before
    each attempt; whether it has none."""
    for pid in _sessions(others[0]):
        _cut(others[0], pid)
    others.extend(_fill(own))
    return not _sessions(others[0])


def _sessions(admin: psycopg.Connection) -> list[int]:
    """The supervisor's: their names end with its UUID."""
    query = """select pid from pg_stat_activity where datname = current_database()
               and application_name ~ '^tasker-mp [0-9a-f-]{36}$'"""
    return [row[0] for row in admin.execute(query)]


def _cut(admin: psycopg.Connection, pid: int) -> bool:
    return bool(admin.execute("select pg_terminate_backend(%s)", [pid]).fetchone()[0])


@contextmanager
def _all_connections(own: OwnServer) -> Iterator[list[psycopg.Connection]]:
    taken = _fill(own)
    try:
        yield taken
    finally:
        for connection in taken:
            connection.close()


def _fill(own: OwnServer) -> list[psycopg.Connection]:
    """Connections until there are no more, looking again for a moment."""
    taken: list[psycopg.Connection] = []
    until = time.monotonic() + 0.3
    while time.monotonic() < until:
        with suppress(psycopg.OperationalError):
            taken.append(psycopg.connect(own.dsn, autocommit=True))
    return taken
