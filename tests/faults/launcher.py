"""Starts supervisors as `python -m tasker_mp.engine.run` does, with their project's faults armed.

    python launcher.py FD       requests on socket FD; see `Launcher` in fault_service.py

Each is forked from here, since loading the same modules for each would take most of the time.
"""

import functools
import json
import os
import socket
import sys
import traceback
from pathlib import Path
from typing import Any, NoReturn

import msgspec
import readiness
import strike

from tasker_mp.engine import fleet, run
from tasker_mp.engine.supervisor import Supervisor

_MESSAGE_BYTES = 4096


def main() -> None:
    """Serve until the test process hangs up."""
    control = socket.socket(fileno=int(sys.argv[1]))
    while True:
        message, fds, _, _ = socket.recv_fds(control, _MESSAGE_BYTES, 3)
        match json.loads(message or "null"):
            case {"start": root}:
                answer: int | None = _fork(control, root, fds)
            case {"poll": pid}:
                ended, status = os.waitpid(pid, os.WNOHANG)
                answer = os.waitstatus_to_exitcode(status) if ended else None
            case _:
                return
        for fd in fds:
            os.close(fd)
        control.send(json.dumps(answer).encode())


def _fork(control: socket.socket, root: str, fds: list[int]) -> int:
    pid = os.fork()
    if pid == 0:
        control.close()
        _become_supervisor(root, fds)
    return pid


def _become_supervisor(root: str, fds: list[int]) -> NoReturn:
    status = 1
    try:
        os.setsid()
        os.chdir(root)
        for number, fd in enumerate(fds):
            os.dup2(fd, number)
            os.close(fd)
        _arm()
        run.main()
        status = 0
    except SystemExit as end:
        status = int(end.code or 0)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(status)


def _arm() -> None:
    armed = strike.armed()
    strike.install("supervisor")
    death = armed["death"]
    if armed["order"] and not Path(strike.REACHED, death).exists():
        for name in ("_on_results", "_on_death"):
            readiness.log_calls(fleet.Fleet, name, death)
        run._serve = _ordered(run._serve, armed["order"], death)
    if armed["capacity_bytes"]:
        Supervisor._worker_settings = _narrow(Supervisor._worker_settings, armed["capacity_bytes"])
    if not armed["final_drain"]:
        fleet._last_words = lambda _worker: []


def _ordered(serve: Any, order: Any, death: str) -> Any:
    @functools.wraps(serve)
    async def ordered(*args: Any, **keys: Any) -> None:
        readiness.force(order, death)
        await serve(*args, **keys)

    return ordered


def _narrow(original: Any, capacity_bytes: int) -> Any:
    """Rings smaller than may be configured, so that a handful of records fills them."""

    @functools.wraps(original)
    def settings(*args: Any) -> Any:
        return msgspec.structs.replace(original(*args), capacity_bytes=capacity_bytes)

    return settings


if __name__ == "__main__":
    main()
