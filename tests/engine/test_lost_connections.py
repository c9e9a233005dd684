"""Connections to the database are cut while work flows: nothing is lost, nothing counts twice."""

import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import psycopg
from engine_project import ProjectFolder, eventually, step
from forgetful_proxy import forgetful_proxy

from tasker_mp.client.client import Client

_LISTENING = "select pid from pg_stat_activity where query = 'listen tasker_ready'"


def test_a_cut_listen_connection_loses_no_work(folder: ProjectFolder) -> None:
    """Event-driven only: nothing else would find the work."""
    folder.template("call")
    with (
        folder.running(worker__mode="event_driven", worker__poll_interval=30) as running,
        psycopg.connect(folder.dsn, autocommit=True) as admin,
    ):
        assert running.run("call")[0].state == "complete"
        (old,) = _pids(admin, _LISTENING)
        admin.execute("select pg_terminate_backend(%s)", [old])
        uuids = running.submit("call", 5)
        assert {task.state for task in running.wait(uuids, 5)} == {"complete"}
        eventually(lambda: len(_pids(admin, _LISTENING)) == 1)
        assert _pids(admin, _LISTENING) != [old]
        assert running.run("call")[0].state == "complete"


def test_cutting_every_connection_in_the_middle_loses_and_duplicates_nothing(
    folder: ProjectFolder,
) -> None:
    """Nobody's process died, so no execution is owed a second time either."""
    chain = [step("a", method="call"), step("b", "a", method="call"), step("c", "b", method="call")]
    folder.template("chain", *chain)
    with (
        folder.running(worker__max_in_flight=200) as running,
        psycopg.connect(folder.dsn, autocommit=True) as admin,
    ):
        # Two lanes, claims, housekeeping; the one that listens comes a moment after the start.
        eventually(lambda: _count_ours(admin) == 5, what="all connections")
        uuids = running.submit("chain", 600)
        for done in range(100, 1800, 200):
            eventually(_executed(folder, done), what=f"{done} executions")
            _cut(admin)
        tasks = running.wait(uuids)
        assert {task.state for task in tasks} == {"complete"}
        assert all([s.attempts for s in task.steps] == [1, 1, 1] for task in tasks)
        assert set(folder.executions().values()) == {3}
        status = running.status()
        assert status["in_flight"] == 0
        assert status["database_connected"]
        eventually(lambda: _count_ours(admin) <= 5, 3, "no connection left over")


def _executed(folder: ProjectFolder, count: int) -> Callable[[], bool]:
    return lambda: len(folder.ledger()) >= count


def _pids(admin: psycopg.Connection, query: str) -> list[int]:
    ours = f"{query} and datname = current_database() and backend_type = 'client backend'"
    return [row[0] for row in admin.execute(ours)]


def _ours(admin: psycopg.Connection) -> list[int]:
    """The backends of the supervisor: their names end with its UUID."""
    marked = "select pid from pg_stat_activity where application_name ~ '^tasker-mp [0-9a-f-]{36}$'"
    return _pids(admin, marked)


def _count_ours(admin: psycopg.Connection) -> int:
    return len(_ours(admin))


def _cut(admin: psycopg.Connection) -> None:
    pids = eventually(lambda: _ours(admin))
    admin.execute("select pg_terminate_backend(pid) from unnest(%s::int[]) pid", [pids])


def test_answers_that_are_lost_after_the_commit_lose_no_step_and_repeat_none(
    folder: ProjectFolder,
) -> None:
    """Claims and continued steps of which only the database knows are taken over from it."""
    folder.template("claimed", step("call"))
    folder.template("continued", step("hold"), step("marked_child", "hold", method="call"))
    with (
        tempfile.TemporaryDirectory() as place,
        forgetful_proxy(folder.dsn, Path(place)) as proxy,
        folder.running(database__url=proxy.dsn, worker__lanes=1) as running,
        Client(config=folder.config()) as client,
    ):
        running.client = client  # past the proxy
        (held,) = running.submit("continued")
        folder.started("hold")
        proxy.lose(b"claim_me")
        claimed = running.submit("claimed", 3, n="claim_me")
        eventually(lambda: not proxy.armed, what="the answer to a claim lost")
        assert {task.state for task in running.wait(claimed)} == {"complete"}
        proxy.lose(b"marked_child")
        folder.release()
        eventually(lambda: not proxy.armed, what="the answer to a finish lost")
        (task,) = running.wait([held])
        assert (task.state, [s.attempts for s in task.steps]) == ("complete", [1, 1])
        assert proxy.lost == 2
        assert set(folder.executions().values()) == {1}
        eventually(lambda: running.status()["in_flight"] == 0)


def test_a_supervisor_leaves_in_time_while_the_database_is_away(folder: ProjectFolder) -> None:
    folder.template("hold")
    with ExitStack() as stack, tempfile.TemporaryDirectory() as place:
        away = stack.enter_context(ExitStack())
        proxy = away.enter_context(forgetful_proxy(folder.dsn, Path(place)))
        running = stack.enter_context(
            folder.running(database__url=proxy.dsn, worker__drain_timeout=0.5)
        )
        running.client = stack.enter_context(Client(folder.dsn))
        [uuid] = running.submit("hold")
        folder.started("hold")
        away.close()
        folder.release()
        running.system.transition_to_graceful_shutdown()
        eventually(lambda: not running.system.is_running(), 15, "gone without its database")
        assert running.client.get_task(uuid).state == "in_progress"
    with folder.running() as running:
        [task] = running.wait([uuid])
        assert (task.state, task.steps[0].attempts) == ("complete", 1)
