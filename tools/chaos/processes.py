"""The processes of a run: only those that carry its mark are ever signalled."""

import os
import signal
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
_VARIABLE: Final = "TASKER_CHAOS_RUN"


class Mark:
    """A variable in the environment of everything that a run starts, unlike any other run's."""

    def __init__(self) -> None:
        self.environment = {_VARIABLE: uuid.uuid4().hex}
        self._bytes = f"{_VARIABLE}={self.environment[_VARIABLE]}".encode()

    def is_on(self, pid: int) -> bool:
        """False for a zombie, too: its environment is gone."""
        return self._bytes in _read(pid, "environ").split(b"\0")

    def bearers(self) -> list[int]:
        """Every live process of the run."""
        pids = (int(entry.name) for entry in _PROC.glob("[0-9]*"))
        return [pid for pid in pids if self.is_on(pid)]

    def children(self, parent: int) -> list[int]:
        """The run's live children of `parent`, the oldest first."""
        found = [pid for pid in _children(parent) if self.is_on(pid) and parent_of(pid) == parent]
        return sorted(found, key=_started)

    def signal(self, pid: int, parent: int, signum: signal.Signals) -> bool:
        """Send a signal to a child of `parent` that carries the mark; False where it does not.

        The descriptor is opened before the look, so that what was looked at is what is hit, though
        the pid may be another process's a moment later.
        """
        try:
            fd = os.pidfd_open(pid)
        except ProcessLookupError:
            return False
        try:
            if not self.is_on(pid) or parent_of(pid) != parent:
                return False
            signal.pidfd_send_signal(fd, signum)
        except ProcessLookupError:
            return False
        finally:
            os.close(fd)
        return True


def title(pid: int) -> str:
    return _read(pid, "cmdline").replace(b"\0", b" ").decode(errors="replace")


def parent_of(pid: int) -> int | None:
    fields = _stat(pid)
    return int(fields[1]) if fields else None


def descriptors(pid: int) -> int:
    """How many files a process has open."""
    return len(os.listdir(_PROC / str(pid) / "fd"))  # noqa: PTH208  names are enough


def is_server_of(pid: int, data: Path) -> bool:
    """Whether a process is a PostgreSQL that works in that data folder, as all of its do."""
    try:
        program = (_PROC / str(pid) / "exe").readlink().name
        folder = (_PROC / str(pid) / "cwd").readlink()
    except OSError:
        return False
    return program.startswith("postgres") and folder == data.resolve()


def kill_server(pid: int, data: Path) -> bool:
    """SIGKILL to the postmaster of that data folder; False where the pid is not one's any more."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    try:
        if not is_server_of(pid, data):
            return False
        signal.pidfd_send_signal(fd, signal.SIGKILL)
    except ProcessLookupError:
        return False
    finally:
        os.close(fd)
    return True


def _children(parent: int) -> Iterator[int]:
    for task in (_PROC / str(parent) / "task").glob("*"):
        try:
            yield from map(int, (task / "children").read_text().split())
        except OSError:
            continue


def _started(pid: int) -> int:
    fields = _stat(pid)
    return int(fields[19]) if fields else 0


def _stat(pid: int) -> list[str]:
    """The fields after the program's name: state, parent, …, the 20th is the start time."""
    return _read(pid, "stat").decode(errors="replace").rpartition(")")[2].split()


def _read(pid: int, name: str) -> bytes:
    try:
        return (_PROC / str(pid) / name).read_bytes()
    except OSError:
        return b""
