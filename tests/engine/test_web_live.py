"""The web address of a real supervisor: served by a child that dies with it and is replaced."""

import json
import os
import signal
import socket
from http import HTTPStatus
from http.client import HTTPConnection
from typing import Any

import pytest
from engine_project import ProjectFolder, eventually, is_alive

from tasker_mp import bootstrap
from tasker_mp.control import Command, ask
from tasker_mp.engine.runtime import RuntimeDirectory
from tasker_mp.errors import InvalidInputError
from tasker_mp.observer import Observer

_LIMIT = 20.0


@pytest.fixture
def port() -> int:
    """Free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        number: int = probe.getsockname()[1]
        return number


def get(port: int, path: str) -> tuple[int, bytes]:
    connection = HTTPConnection("127.0.0.1", port, timeout=_LIMIT)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def enabled(port: int) -> dict[str, Any]:
    return {"web__enabled": True, "web__port": port, "worker__count": 1}


def web_pid(folder: ProjectFolder) -> int:
    def pid() -> int | None:
        seen = Observer(folder.root).look()
        return seen.snapshot.web_pid if seen else None

    found: int = eventually(pid)
    return found


def test_metrics_and_health_are_served_again_after_the_server_died(
    folder: ProjectFolder, port: int
) -> None:
    folder.template("call")
    with folder.running(**enabled(port)) as running:
        running.run("call", 5)
        assert running.status()["web_api_enabled"] is True
        ended = b"\ntasker_tasks_ended_total 5\n"
        eventually(lambda: ended in get(port, "/metrics")[1])
        eventually(lambda: get(port, "/health/ready")[0] == HTTPStatus.OK)
        ask(RuntimeDirectory(folder.root).control_socket, Command("pause"))
        eventually(lambda: get(port, "/health/ready")[0] == HTTPStatus.SERVICE_UNAVAILABLE)

        first = web_pid(folder)
        os.kill(first, signal.SIGKILL)
        status, body = get(port, "/health/detailed")  # waits for the next one, refused by nobody
        assert status == HTTPStatus.OK
        assert json.loads(body)["checks"]["database"]["status"] == "ok"
        eventually(lambda: web_pid(folder) != first)
        events = Observer(folder.root).look()
        assert events is not None
        assert any("SIGKILL" in event.text for event in events.snapshot.events)
    with pytest.raises(ConnectionRefusedError):
        get(port, "/health")


def test_it_does_not_outlive_the_supervisor(folder: ProjectFolder, port: int) -> None:
    folder.template("call")
    with bootstrap(folder.config(**enabled(port))) as system:
        pid = web_pid(folder)
        os.kill(system.pid, signal.SIGKILL)
        eventually(lambda: not is_alive(pid))
    folder.await_quiet()


def test_an_address_in_use_stops_the_start(
    folder: ProjectFolder, capfd: pytest.CaptureFixture[str]
) -> None:
    folder.template("call")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InvalidInputError):
            bootstrap(folder.config(**enabled(port)))
    said = capfd.readouterr().err.splitlines()[-1]
    assert said.startswith(f"error: [web] cannot listen on 127.0.0.1:{port}: Address already in")
    assert "web.port" in said
    assert not RuntimeDirectory(folder.root).status_page.exists()
    folder.await_quiet()


def test_a_host_that_is_not_here_stops_the_start(
    folder: ProjectFolder, port: int, capfd: pytest.CaptureFixture[str]
) -> None:
    folder.template("call")
    with pytest.raises(InvalidInputError):
        bootstrap(folder.config(**enabled(port), web__host="192.0.2.1"))
    assert "cannot listen on 192.0.2.1" in capfd.readouterr().err
    folder.await_quiet()
