"""A running supervisor notices that ready work is not begun, and says why."""

import time
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from engine_project import ProjectFolder, Running, eventually
from own_server import LIMIT, own_server

from tasker_mp.control import Command, ask
from tasker_mp.engine.runtime import RuntimeDirectory


def test_paused_with_ready_work(folder: ProjectFolder, capfd: pytest.CaptureFixture[str]) -> None:
    folder.template("call")
    with folder.running() as running:
        _command(folder, "pause")
        uuids = running.submit("call", 3)
        assert "paused: go on with: tasker-mp resume" in _starved(running)
        time.sleep(2.5)  # more looks than one
        _command(folder, "resume")
        running.wait(uuids)
        eventually(_well(running), LIMIT, "work goes on")
    said = capfd.readouterr().err
    assert said.count("work is ready, nothing is begun") == 1
    assert said.count("work goes on") == 1


def test_all_workers_held_by_slow_steps(folder: ProjectFolder) -> None:
    folder.template("hold")
    with folder.running(worker__max_in_flight=4) as running:
        uuids = running.submit("hold", 10)
        folder.started("hold", 2)
        assert "all 2 workers are held by slow steps: hold for" in _starved(running)
        folder.release()
        running.wait(uuids)
        eventually(_well(running), LIMIT, "work goes on")


def test_the_database_away() -> None:
    with own_server(embedded=False) as own, own.folder.running() as running:
        running.client.close()
        own.stop("fast")
        reason = _starved(running)
        assert "the database has failed for" in reason
        assert "cannot reach the database" in reason
        own.server.ensure_running()
        eventually(_well(running), LIMIT, "work goes on")


def test_a_namespace_that_nobody_serves(
    folder: ProjectFolder, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder.template("call")
    other = ProjectFolder(tmp_path_factory.mktemp("other"), folder.dsn, namespace="elsewhere")
    other.template("call")
    with folder.running(worker__namespaces=["acts"]) as running:
        with other.running() as beside:
            _command(other, "pause")
            beside.submit("call")
        assert "no running supervisor serves the namespace elsewhere" in _starved(running)


def test_an_idle_supervisor_asks_the_database_twice_a_second_at_most(folder: ProjectFolder) -> None:
    """Counted by the starts of its statements; `pg_stat_database` has autovacuum's, too."""
    folder.template("call")
    with folder.running() as running, psycopg.connect(folder.dsn, autocommit=True) as admin:
        running.run("call")
        running.client.close()
        before, began = _statements(admin), time.monotonic()
        starts: set[tuple[int, object, str]] = set()
        while (seconds := time.monotonic() - began) < 16:  # the watch begins to ask after six
            starts |= _statements(admin) - before
            time.sleep(0.01)
        assert not running.status()["starvation_detected"]
    assert any("waiting_queues" in str(text) for _, _, text in starts), "the watch was seen"
    assert 2 <= len(starts) <= 2 * seconds


def _statements(admin: psycopg.Connection) -> set[tuple[int, object, str]]:
    """Of each session of anybody else its latest: seen often enough, that is every one."""
    query = """select pid, query_start, query from pg_stat_activity
               where datname = current_database() and backend_type = 'client backend'
                 and pid <> pg_backend_pid()"""
    return set(admin.execute(query).fetchall())


def _starved(running: Running) -> str:
    reason: str = eventually(lambda: running.status()["starvation_reason"], LIMIT, "a reason")
    assert running.status()["starvation_detected"] is True
    return reason


def _well(running: Running) -> Callable[[], bool]:
    def well() -> bool:
        status: dict[str, Any] = running.status()
        return status["starvation_detected"] is False and status["starvation_reason"] is None

    return well


def _command(folder: ProjectFolder, name: str) -> None:
    answer = ask(RuntimeDirectory(folder.root).control_socket, Command(name))
    assert answer.get("ok"), answer
