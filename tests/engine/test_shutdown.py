"""How a supervisor ends under load, by a limit or by force, and what is called when it has."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from engine_project import ProjectFolder, eventually, is_alive, step

_TWICE = {"max_attempts": 2, "backoff": "none"}


def test_a_drain_ends_at_its_limit_and_gives_back_what_runs_uncharged(
    folder: ProjectFolder,
) -> None:
    folder.template("hold", step("hold", retry=_TWICE))
    with folder.running(worker__drain_timeout=1.0) as running:
        uuids = running.submit("hold", 10)
        folder.started("hold", 2)
        begun = time.monotonic()
        running.system.transition_to_graceful_shutdown()
        eventually(lambda: running.status().get("in_flight") == 2, what="the rest given back")
        assert time.monotonic() - begun < 1.0, "at once, not at the limit"
        eventually(lambda: not running.system.is_running())
        assert 1.0 <= time.monotonic() - begun < 5.0
        steps = [running.client.get_task(uuid).steps[0] for uuid in uuids]
        assert {(s.state, s.attempts) for s in steps} == {("enqueued", 0)}
    folder.release()
    with folder.running() as running:
        assert {t.state for t in running.wait(uuids)} == {"complete"}
        assert not any(running.crashes(uuid) for uuid in uuids)


def test_a_stop_without_patience_is_over_at_once(folder: ProjectFolder) -> None:
    folder.template("hold")
    for _ in range(3):
        with folder.running(worker__drain_timeout=60) as running:
            [uuid] = running.submit("hold")
            folder.started()
            begun = time.monotonic()
            running.system.stop(timeout=0)
            assert time.monotonic() - begun < 10
            [held] = running.client.get_task(uuid).steps
            assert (held.state, held.attempts) == ("enqueued", 0)
            running.client.cancel_task(uuid, reason="enough")
            (folder.root / "ledger").unlink()


def test_deadlines_are_met_while_draining(folder: ProjectFolder) -> None:
    folder.template("hold", step("hold", timeout_seconds=1.0))
    with folder.running(worker__drain_timeout=60) as running:
        uuids = running.submit("hold", 2)
        folder.started("hold", 2)
        begun = time.monotonic()
        running.system.transition_to_graceful_shutdown()
        eventually(lambda: not running.system.is_running())
        assert time.monotonic() - begun < 10
        for uuid in uuids:
            task = running.client.get_task(uuid)
            assert (task.state, task.errors["hold"]["error_code"]) == ("error", "TIMEOUT")


def test_a_worker_that_dies_while_draining_charges_its_step(folder: ProjectFolder) -> None:
    folder.template("hold", step("hold", retry=_TWICE))
    with folder.running() as running:
        [uuid] = running.submit("hold")
        [pid] = folder.started()
        running.system.transition_to_graceful_shutdown()
        eventually(lambda: running.status().get("worker_core_status") == "draining")
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: not running.system.is_running())
        [held] = running.client.get_task(uuid).steps
        assert held.attempts == 1
        assert running.crashes(uuid) == [("hold", 1, "WORKER_CRASHED")]


def test_a_paused_supervisor_drains_as_any_other(folder: ProjectFolder) -> None:
    folder.template("hold")
    with folder.running() as running:
        uuids = running.submit("hold", 2)
        folder.started("hold", 2)
        subprocess.run(
            [sys.executable, "-m", "tasker_mp", "pause"], cwd=folder.root, check=True,
            capture_output=True,
        )  # fmt: skip
        assert running.status()["worker_core_status"] == "paused"
        folder.release()
        running.system.stop()
        assert [running.client.get_task(uuid).state for uuid in uuids] == ["complete"] * 2


@pytest.mark.parametrize("how", ["killed", "failed"])
def test_callbacks_are_called_although_the_supervisor_did_not_stop_by_itself(
    folder: ProjectFolder, how: str
) -> None:
    folder.template("call")
    called: list[bool] = []
    with folder.running() as running:
        running.system.on_shutdown(lambda: called.append(running.system.is_running()))
        if how == "killed":
            os.kill(running.pid, signal.SIGKILL)
        else:
            _fail(folder, running.zygote())
        eventually(lambda: not running.system.is_running(), 40)
        assert called == [], "by the thread that stops it, and no other"
    assert called == [False]


def _fail(folder: ProjectFolder, zygote: int) -> None:
    """No zygote can be had any more, and so the supervisor gives up."""
    (folder.root / "handlers" / "fatal.py").write_text("import os; os._exit(9)")
    os.kill(zygote, signal.SIGKILL)


def test_a_callback_that_raises_keeps_no_other_from_being_called(folder: ProjectFolder) -> None:
    folder.template("call")
    called: list[int] = []
    with folder.running() as running:
        running.system.on_shutdown(lambda: called.append(1))
        running.system.on_shutdown(lambda: 1 / 0)
        running.system.on_shutdown(lambda: called.append(3))
        with pytest.raises(ZeroDivisionError):
            running.system.stop()
        assert called == [3, 1]
        assert not running.system.is_running()
        running.system.stop()
        assert called == [3, 1]


_FORKING = """
import os, sys, time
from tasker_mp import bootstrap, load_config
system = bootstrap(load_config(environ={{}}, overrides={{"database.url": {dsn!r}}}))
system.on_shutdown(lambda: print("stopped in", os.getpid(), flush=True))
child = os.fork()
if child == 0:
    {child}
print(system.pid, child, flush=True)
sys.stdin.read()
"""


def _forking(folder: ProjectFolder, child: str) -> subprocess.Popen[bytes]:
    script = _FORKING.format(dsn=folder.dsn, child=child)
    command = [sys.executable, "-c", script]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def test_a_forked_child_that_ends_does_not_stop_its_parent_s_supervisor(
    folder: ProjectFolder,
) -> None:
    folder.template("call")
    with _forking(folder, "sys.exit(0)") as starter:
        assert starter.stdin is not None
        assert starter.stdout is not None
        supervisor, child = map(int, starter.stdout.readline().split())
        eventually(lambda: not is_alive(child))
        assert is_alive(supervisor)
        starter.stdin.close()
        assert starter.stdout.read() == f"stopped in {starter.pid}\n".encode()
    eventually(lambda: not is_alive(supervisor))


def test_a_forked_child_that_stays_does_not_keep_the_supervisor_of_a_dead_process(
    folder: ProjectFolder,
) -> None:
    folder.template("call")
    with _forking(folder, "time.sleep(60); os._exit(0)") as starter:
        assert starter.stdout is not None
        supervisor, child = map(int, starter.stdout.readline().split())
        try:
            starter.kill()
            eventually(lambda: not is_alive(supervisor), 10)
            assert is_alive(child)
        finally:
            os.kill(child, signal.SIGKILL)
    folder.await_quiet()
    assert Path(folder.root / "ledger").exists() is False
