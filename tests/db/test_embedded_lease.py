"""Several commands at one embedded server: the first starts it, the last stops it."""

import os
import signal
from pathlib import Path

import psycopg

from tasker_mp.db.embedded import EmbeddedServer, lease
from tasker_mp.db.postmaster import wait_until

from .commands import finish, holding, run

_COME_AND_GO = """
import sys
from pathlib import Path
import psycopg
from tasker_mp.db.embedded import lease
for _ in range(int(sys.argv[2])):
    with lease(Path(sys.argv[1])) as dsn, psycopg.connect(dsn) as connection:
        start = "select pg_postmaster_start_time(), pg_backend_pid()"
        before = connection.execute(start).fetchone()
        for _ in range(20):
            assert connection.execute(start).fetchone() == before
"""


def test_the_last_user_stops_the_server(project: Path) -> None:
    server = EmbeddedServer(project)
    with holding(project) as other:
        with lease(project):
            first = server.status().pid
        assert server.status().pid == first
        finish(other)
        assert not server.status().running


def test_a_released_lease_is_released_once(project: Path) -> None:
    server = EmbeddedServer(project)
    held, other = server.lease(), server.lease()
    held.release()
    held.release()
    assert server.status().running
    other.release()
    assert not server.status().running


def test_a_killed_user_leaves_a_server_that_the_next_one_takes_over(project: Path) -> None:
    server = EmbeddedServer(project)
    with holding(project) as other:
        first = server.status().pid
        os.kill(other.pid, signal.SIGKILL)
        other.wait(10)
        assert server.status().running
        with lease(project):
            assert server.status().pid == first
        assert not server.status().running


def test_a_command_interrupted_while_it_starts_the_server_leaves_none(project: Path) -> None:
    server = EmbeddedServer(project)
    with server.lease():
        pass
    starting = run(
        "import sys; from pathlib import Path; from tasker_mp.db.embedded import lease\n"
        "with lease(Path(sys.argv[1])): sys.stdin.read()",
        project,
    )
    assert wait_until(lambda: server.status().running, 20)
    starting.send_signal(signal.SIGINT)
    assert "KeyboardInterrupt" in finish(starting, expect=-signal.SIGINT)
    assert not server.status().running


def test_commands_that_start_at_once_share_one_server(project: Path) -> None:
    commands = [run(_COME_AND_GO, project, 1) for _ in range(4)]
    for command in commands:
        finish(command)
    assert not EmbeddedServer(project).status().running
    assert not list((project / ".tasker").glob("postgres.new-*"))


def test_no_server_is_stopped_under_a_command_that_just_came(project: Path) -> None:
    commands = [run(_COME_AND_GO, project, 8) for _ in range(3)]
    for command in commands:
        finish(command)
    assert not EmbeddedServer(project).status().running


def test_a_server_that_was_told_to_stay_stays(project: Path) -> None:
    server = EmbeddedServer(project)
    dsn = server.start_and_stay()
    with lease(project) as same:
        assert same == dsn
    assert server.status().stays
    with psycopg.connect(dsn) as connection:
        assert connection.execute("select 1").fetchone() == (1,)
    assert server.stop()
    assert not server.status().running
    assert not server.status().stays


def test_a_stop_waits_for_the_users_unless_forced(project: Path) -> None:
    server = EmbeddedServer(project)
    server.start_and_stay()
    with lease(project):
        assert not server.stop()
        assert server.status().running
    assert not server.status().running
    with lease(project):
        assert server.stop(force=True)
        assert not server.status().running
