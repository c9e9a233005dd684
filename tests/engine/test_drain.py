"""Pausing, draining and stopping: what runs ends, what does not run goes back uncharged."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from engine_project import ProjectFolder, Running, eventually, is_alive, step

from tasker_mp.client.client import Client
from tasker_mp.control import Command, ask, short_address


def test_a_drain_ends_what_runs_and_gives_back_the_rest_uncharged(folder: ProjectFolder) -> None:
    folder.template("chain", step("hold"), step("call", "hold"))
    folder.template("hold")
    with folder.running() as running:
        uuids = running.submit("chain", 2)
        folder.started("hold", 2)
        behind = running.submit("hold", 200)
        eventually(lambda: running.status()["in_flight"] == 202)
        running.system.transition_to_graceful_shutdown()
        eventually(lambda: running.status().get("worker_core_status") in ("draining", None))
        eventually(lambda: running.status().get("in_flight") == 2, what="the rest given back")
        steps = [running.client.get_task(uuid).steps[0] for uuid in behind]
        assert {(step.state, step.attempts) for step in steps} == {("enqueued", 0)}
        folder.release()
        eventually(lambda: not running.system.is_running(), what="drained")
        tasks = [running.client.get_task(uuid) for uuid in uuids]
        assert [[s.state for s in task.steps] for task in tasks] == [["complete", "enqueued"]] * 2
    with folder.running() as running:
        assert {t.state for t in running.wait([*uuids, *behind])} == {"complete"}
    assert set(folder.executions().values()) == {1}


def test_a_second_signal_stops_at_once(folder: ProjectFolder) -> None:
    folder.template("hold")
    with folder.running() as running:
        uuids = running.submit("hold", 10)
        folder.started("hold", 2)
        os.kill(running.pid, signal.SIGTERM)
        eventually(lambda: running.status()["worker_core_status"] == "draining")
        begun = time.monotonic()
        os.kill(running.pid, signal.SIGTERM)
        eventually(lambda: not running.system.is_running(), 2)
        folder.await_quiet(1.0)
        assert time.monotonic() - begun < 2
        steps = [running.client.get_task(uuid).steps[0] for uuid in uuids]
        assert {(s.state, s.attempts) for s in steps} == {("enqueued", 0)}


def test_stopping_twice_calls_back_once_and_is_harmless(folder: ProjectFolder) -> None:
    folder.template("call")
    called: list[int] = []
    with folder.running() as running:
        running.system.on_shutdown(lambda: called.append(1))
        running.system.on_shutdown(lambda: called.append(2))
        running.system.stop()
        running.system.stop()
        assert called == [2, 1]
        assert running.status() == {"running": False, "error": "the supervisor has stopped"}


def test_a_paused_supervisor_claims_nothing_and_goes_on_when_resumed(
    folder: ProjectFolder,
) -> None:
    folder.template("chain", step("hold"), step("call", "hold"))
    with folder.running() as running:
        (task,) = running.submit("chain")
        folder.started("hold")
        assert _command(running, "pause")["state"] == "paused"
        later = running.submit("chain", 3)
        folder.release()
        eventually(lambda: running.client.get_task(task).steps[0].state == "complete")
        assert running.status()["worker_core_status"] == "paused"
        assert running.client.get_task(task).steps[1].state == "enqueued"
        assert [running.client.get_task(u).state for u in later] == ["pending"] * 3
        assert _command(running, "resume")["state"] == "running"
        assert {t.state for t in running.wait([task, *later])} == {"complete"}


@pytest.mark.parametrize("mode", ["polling", "event_driven", "hybrid"])
def test_work_is_picked_up_in_each_mode(folder: ProjectFolder, mode: str) -> None:
    folder.template("flaky", step("flaky", retry={"max_attempts": 3, "backoff": "none"}))
    with folder.running(worker__mode=mode, worker__poll_interval=0.1) as running:
        for _ in range(3):
            assert running.run("flaky")[0].results == {"flaky": {"attempts": 3}}
        status = running.status()
        assert status["deployment_mode"] == mode
        assert status["subscriber_active"] == (mode != "polling")


def test_the_control_socket_answers_garbage_and_survives_it(folder: ProjectFolder) -> None:
    folder.template("call")
    garbage = [b"garbage", b"", b"\xff\x00\xfe", b"[1,2]", b'{"command": 7}', b'{"commando": "x"}']
    garbage += [b"[" * 60_000, b'{"command": "' + b"x" * 60_000 + b'"}']
    with folder.running() as running:
        path = folder.root / ".tasker" / "run" / "control.sock"
        with _connected(path) as client, client.makefile("rb") as answers:
            for line in garbage:
                client.sendall(line + b"\n")
                assert "error" in json.loads(answers.readline()), line[:40]
            client.sendall(b"x" * 500_000 + b"\n")
            assert "longer than 65536 bytes" in json.loads(answers.readline())["error"]
            client.sendall(b'{"command": "status"}\n')
            assert json.loads(answers.readline())["running"] is True
        with _connected(path) as client:
            client.sendall(b'{"command"')  # and hangs up
        assert "unknown" in _command(running, "dance")["error"]
        assert running.run("call")[0].state == "complete"


def _connected(path: Path) -> socket.socket:
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(5)
    with short_address(path) as address:
        client.connect(address)
    return client


def _command(running: Running, name: str) -> dict[str, Any]:
    return ask(running.folder.root / ".tasker" / "run" / "control.sock", Command(name))


def test_a_stalled_control_client_holds_nobody_up(folder: ProjectFolder) -> None:
    folder.template("call")
    with folder.running() as running, Client(config=folder.config()) as client:
        path = folder.root / ".tasker" / "run" / "control.sock"
        with _connected(path) as stalled:
            stalled.sendall(b'{"command": "status"}\n' * 500)
            (uuid,) = running.submit("call")
            assert client.wait(uuid, 5).state == "complete"
            running.system.stop()
            assert not running.system.is_running()


def test_a_supervisor_outlives_the_thread_that_started_it_but_not_the_process(
    folder: ProjectFolder,
) -> None:
    folder.template("call")
    script = (
        "import sys, threading\n"
        "from tasker_mp import bootstrap, load_config\n"
        "started = []\n"
        "def start():\n"
        f"    config = load_config(environ={{}}, overrides={{'database.url': {folder.dsn!r}}})\n"
        "    started.append(bootstrap(config))\n"
        "thread = threading.Thread(target=start)\n"
        "thread.start()\n"
        "thread.join()\n"
        "print(started[0].pid, flush=True)\n"
        "sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as starter:
        assert starter.stdout is not None
        supervisor = int(starter.stdout.readline())
        with Client(config=folder.config()) as client:
            for _ in range(20):
                uuid = client.submit("acts", "call", {}).uuid
                assert client.wait(uuid, 5).state == "complete"
        assert is_alive(supervisor)
        starter.kill()
        eventually(lambda: not is_alive(supervisor), 3)
        folder.await_quiet()
