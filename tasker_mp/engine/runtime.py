"""The runtime directory of a project's supervisor: its lock, its record, its control socket."""

import fcntl
import os
from pathlib import Path
from uuid import UUID

import msgspec
from msgspec import Struct

from tasker_mp.errors import EngineError


class SupervisorRecord(Struct):
    """Who holds, or last held, the lock."""

    pid: int
    supervisor: UUID


class RuntimeDirectory:
    """`.tasker/run` beside the project, for its owner only."""

    def __init__(self, root: Path) -> None:
        self.path = root / ".tasker" / "run"
        self._lock_fd: int | None = None

    @property
    def control_socket(self) -> Path:
        return self.path / "control.sock"

    def acquire(self, supervisor: UUID) -> UUID | None:
        """Become the project's supervisor; the incarnation before this one, known to be dead.

        The kernel drops the lock with its holder, so whoever left its name here is gone.
        `EngineError` where another one is running.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        self.path.chmod(0o700)
        fd = os.open(self.path / "supervisor.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        previous = self._read(fd)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            holder = f"pid {previous.pid}" if previous else "another process"
            raise EngineError(
                f"a supervisor is running here already ({holder}); stop it with: tasker-mp stop"
            ) from None
        self._lock_fd = fd
        previous = self._read(fd)
        os.ftruncate(fd, 0)
        os.pwrite(fd, msgspec.json.encode(SupervisorRecord(os.getpid(), supervisor)), 0)
        self.control_socket.unlink(missing_ok=True)
        return previous.supervisor if previous else None

    def release(self, *, clean: bool) -> None:
        """Give up the lock; the record stays where the next supervisor has something to recover."""
        if self._lock_fd is not None:
            self.control_socket.unlink(missing_ok=True)
            if clean:
                os.ftruncate(self._lock_fd, 0)
            os.close(self._lock_fd)
            self._lock_fd = None

    def _read(self, fd: int) -> SupervisorRecord | None:
        try:
            return msgspec.json.decode(os.pread(fd, 4096, 0), type=SupervisorRecord)
        except msgspec.DecodeError:
            return None
