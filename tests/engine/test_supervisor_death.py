"""The supervisor is killed: nothing of it stays, and its successor goes on at once."""

import os
import signal
import time
from collections import Counter
from pathlib import Path

import psycopg
import pytest
from engine_project import ProjectFolder, step

from tasker_mp import bootstrap
from tasker_mp.errors import EngineError


def test_nothing_outlives_a_killed_supervisor_and_its_successor_recovers_at_once(
    folder: ProjectFolder,
) -> None:
    folder.template("chain", step("short"), step("hold", "short"), step("call", "hold"))
    with folder.running(steps__lease=600) as running:
        uuids = running.submit("chain", 40)
        folder.started("hold", 2)
        os.kill(running.pid, signal.SIGKILL)
        folder.await_quiet(1.0)
        ended = folder.executions()
    folder.release()
    with folder.running(steps__lease=600) as running:
        for task in running.wait(uuids):
            assert task.state == "complete"
            assert {s.attempts for s in task.steps} == {1}, "an orphaned step is not charged"
    # Only what was not committed ran again.
    executions = folder.executions()
    assert all(executions[str(uuid), "call"] == 1 for uuid in uuids)
    assert all(count <= 2 for count in executions.values())
    assert ended[str(uuids[0]), "short"] == executions[str(uuids[0]), "short"]


def test_a_supervisor_killed_while_it_replaces_workers_takes_them_along(
    folder: ProjectFolder,
) -> None:
    folder.template("call")
    for round_number in range(4):
        with folder.running(worker__count=4) as running:
            for pid in running.workers().values():
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.004 * round_number)  # somewhere within the forking
            os.kill(running.pid, signal.SIGKILL)
            folder.await_quiet(1.0)


def test_a_second_supervisor_in_the_same_folder_is_refused_in_one_line(
    folder: ProjectFolder, capfd: pytest.CaptureFixture[str]
) -> None:
    folder.template("call")
    with folder.running() as running:
        capfd.readouterr()
        with pytest.raises(EngineError, match="could not start"):
            bootstrap(folder.config())
        refusal = capfd.readouterr().err
        assert refusal == (
            f"error: a supervisor is running here already (pid {running.pid}); "
            "stop it with: tasker-mp stop\n"
        )
        assert running.run("call")[0].state == "complete"


def test_two_supervisors_share_the_work_of_one_database_and_nothing_runs_twice(
    folder: ProjectFolder, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder.template("chain", step("short"), step("call", "short"))
    other = ProjectFolder(tmp_path_factory.mktemp("other"), folder.dsn)
    other.template("chain", step("short"), step("call", "short"))
    small = {"worker__max_in_flight": 8}
    with folder.running(**small) as running:
        os.chdir(other.root)
        with other.running(**small) as beside:
            uuids = running.submit("chain", 60) + beside.submit("chain", 60)
            assert {task.state for task in running.wait(uuids)} == {"complete"}
            folders = [Counter(f.executions()) for f in (folder, other)]
    assert all(sum(executions.values()) >= 20 for executions in folders), folders
    both = folders[0] + folders[1]
    assert len(both) == 240
    assert set(both.values()) == {1}
    assert _claims(folder.dsn) == 0


def test_a_live_supervisor_recovers_the_steps_of_a_dead_one_elsewhere(
    folder: ProjectFolder, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder.template("hold")
    other = ProjectFolder(tmp_path_factory.mktemp("other"), folder.dsn)
    other.template("hold")
    with folder.running(steps__lease=1.0) as running:
        uuids = running.submit("hold", 4)
        folder.started("hold", 2)
        os.kill(running.pid, signal.SIGKILL)
    other.release()
    os.chdir(other.root)
    with other.running(steps__lease=1.0) as running:
        tasks = running.wait(uuids)
        assert {(t.state, t.steps[0].attempts) for t in tasks} == {("complete", 1)}


def _claims(dsn: str) -> int:
    with psycopg.connect(dsn) as connection:
        row = connection.execute("select count(*) from tasker.claims").fetchone()
        assert row is not None
        return int(row[0])


def test_the_runtime_directory_is_private_and_the_processes_say_what_they_are(
    folder: ProjectFolder,
) -> None:
    folder.template("call")
    with folder.running(worker__worker_id="alpha") as running:
        workers = running.workers()
        run = folder.root / ".tasker" / "run"
        modes = {path.name: path.stat().st_mode & 0o777 for path in (run, *run.iterdir())}
        files = ("supervisor.lock", "control.sock", "status.page")
        assert modes == {"run": 0o700} | dict.fromkeys(files, 0o600)
        assert _title(running.pid) == "tasker-mp: supervisor alpha"
        assert _title(running.zygote()) == "tasker-mp: zygote of alpha"
        assert [_title(workers[i]) for i in (0, 1)] == [
            "tasker-mp: worker 0 of alpha",
            "tasker-mp: worker 1 of alpha",
        ]
    assert not (run / "control.sock").exists()
    assert (run / "supervisor.lock").read_bytes() == b""


def _title(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").decode()
