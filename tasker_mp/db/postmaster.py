"""The running server of a data folder, told apart from whatever else has its old process id."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tasker_mp.db.binaries import EmbeddedServerError

_PROC = Path("/proc")
_LINES = 8  # pid, data, start time, port, socket folder, address, shared memory, state


@dataclass(frozen=True)
class Postmaster:
    """A live server, as its `postmaster.pid` describes it; `ready` once it accepts connections."""

    pid: int
    port: int
    socket_folder: Path
    ready: bool


def running_postmaster(data: Path) -> Postmaster | None:
    """The server that runs on `data`, or None: also where its pid is another process by now."""
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return None
    except PermissionError as error:
        raise EmbeddedServerError(
            f"{data} belongs to another user ({error.strerror}): run as that user, "
            "or set database.url"
        ) from error
    if not lines or not lines[0].strip().isdigit() or not _serves(int(lines[0]), data):
        return None
    lines += [""] * (_LINES - len(lines))
    return Postmaster(
        pid=int(lines[0]),
        port=int(lines[3] or 0),
        socket_folder=Path(lines[4]),
        ready=lines[7].strip() == "ready",
    )


def _serves(pid: int, data: Path) -> bool:
    """Whether the process is a PostgreSQL of that folder: every one of them works in it."""
    if not _PROC.joinpath("self").exists():
        return _is_alive(pid)
    try:
        program = (_PROC / str(pid) / "exe").readlink().name
        folder = (_PROC / str(pid) / "cwd").readlink()
    except OSError:
        return False  # gone, a zombie, or another user's
    return program.startswith("postgres") and folder == data.resolve()


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


def stragglers(data: Path, uid: int) -> list[int]:
    """The server processes of user `uid` that outlived the postmaster of `data`."""
    pids = [int(entry.name) for entry in _PROC.glob("[0-9]*")]
    return [pid for pid in pids if _owner(pid) == uid and _serves(pid, data)]


def _owner(pid: int) -> int | None:
    try:
        return (_PROC / str(pid)).stat().st_uid
    except OSError:
        return None


def wait_until(condition: Callable[[], bool], limit: float) -> bool:
    """Whether `condition` came true within `limit` seconds."""
    end = time.monotonic() + limit
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True
