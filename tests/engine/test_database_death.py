"""The database dies, or is away for a while: results wait, and nothing is lost or doubled."""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from engine_project import eventually
from own_server import LIMIT, OwnServer, own_server

from tasker_mp import bootstrap
from tasker_mp.client.client import Client

OUTAGE_SECONDS = float(os.environ.get("TASKER_MP_OUTAGE_SECONDS", "3"))
"""How long the outage lasts: `TASKER_MP_OUTAGE_SECONDS=30` for a long one."""
_WAITING = (
    "select count(*) from pg_locks where relation = 'tasker.supervisors'::regclass and not granted"
)


def test_a_supervisor_starts_its_killed_server_again_while_it_runs_and_while_it_starts() -> None:
    with own_server() as own:
        _serve_while_it_dies(own)
        _start_while_it_dies(own)


def _serve_while_it_dies(own: OwnServer) -> None:
    with own.folder.running() as running:
        uuids = own.load(running, 300)
        for kill in range(3):
            killed, before = own.kill(), time.monotonic()
            eventually(lambda: own.pid not in (None, killed) and own.answers(), LIMIT, "an answer")  # noqa: B023
            answered = time.monotonic()
            done = own.completed()
            eventually(lambda: own.completed() > done, LIMIT, "a commit")  # noqa: B023
            committed = time.monotonic()
            print(f"answered after {answered - before:.2f} s, then {committed - answered:.2f} s")
            assert committed - answered < 5
            own.await_executions(100 + 60 * (kill + 1))
        own.check(uuids, runs=4)
        assert running.status()["database_connected"]


def _start_while_it_dies(own: OwnServer) -> None:
    with psycopg.connect(own.dsn) as blocker, ThreadPoolExecutor(1) as pool:
        blocker.execute("lock table tasker.supervisors")
        starting = pool.submit(bootstrap, own.folder.config())
        eventually(lambda: own.query(_WAITING) == [(1,)], LIMIT, "it registers")
        own.kill()
        with starting.result(LIMIT) as system, Client(config=system.config) as client:
            uuid = client.submit("acts", "chain", {"n": 7}).uuid
            assert client.wait(uuid, LIMIT).state == "complete"
        blocker.close()


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_server_that_its_operator_restarts_is_left_to_him(mode: str) -> None:
    with own_server() as own, own.folder.running() as running:
        uuids = own.load(running, 150)
        own.restart(mode)
        own.check(uuids, runs=2)


def test_an_outage_is_waited_for_and_no_more_is_claimed_than_may_be_in_flight() -> None:
    """Somebody else's server: nobody here starts it again."""
    with own_server(embedded=False) as own, own.folder.running(worker__max_in_flight=50) as running:
        uuids = own.load(running, 200)
        own.stop("immediate")
        until, held = time.monotonic() + OUTAGE_SECONDS, set()
        while time.monotonic() < until:
            status = running.status()
            held.add(status["in_flight"])
            time.sleep(0.05)
        assert own.pid is None
        assert 0 < max(held) <= 50
        assert not status["database_connected"]
        assert status["pending_count"] is None
        # Everything that was held has run; nothing but its commit is missing.
        eventually(lambda: all(w["state"] == "idle" for w in running.status()["workers"]), LIMIT)
        own.server.ensure_running()
        answered, done = time.monotonic(), own.completed()
        eventually(lambda: own.completed() > done, LIMIT, "a commit")
        print(f"committed {time.monotonic() - answered:.2f} s after it answered")
        assert time.monotonic() - answered < 5
        own.check(uuids, runs=2)


def test_a_supervisor_that_leaves_does_not_start_the_server_again() -> None:
    with own_server() as own:
        with own.folder.running(worker__drain_timeout=0.5) as running:
            own.server.stop()  # from now on it ends with its last user
            with own.server._start_lock():  # whoever wants to start it waits here
                own.kill()
                eventually(lambda: "revive" in _commands(own), LIMIT, "the starter")
                os.kill(running.pid, signal.SIGTERM)
                eventually(lambda: not _control_socket_exists(own), LIMIT, "the supervisor leaves")
            eventually(lambda: not running.system.is_running(), LIMIT, "the supervisor ends")
            running.client.close()
        own.folder.await_quiet(10)
        assert own.pid is None


def _commands(own: OwnServer) -> str:
    return " ".join(" ".join(process.cmdline()) for process in own.folder.processes())


def _control_socket_exists(own: OwnServer) -> bool:
    return (own.folder.root / ".tasker" / "run" / "control.sock").exists()
