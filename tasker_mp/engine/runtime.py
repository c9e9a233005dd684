"""The runtime directory of a project's supervisor: its lock, its record, its control socket."""

import fcntl
import os
from pathlib import Path
from uuid import UUID

import msgspec
from msgspec import Struct

from tasker_mp.errors import EngineError

_RECORD_BYTES = 4096
_REMEMBERED = 64


class SupervisorRecord(Struct):
    """Who holds, or last held, the lock, and who before it has steps that are not recovered yet."""

    pid: int
    supervisor: UUID
    unrecovered: list[UUID] = []


class RuntimeDirectory:
    """`.tasker/run` beside the project, for its owner only."""

    def __init__(self, root: Path) -> None:
        self.path = root / ".tasker" / "run"
        self._lock_fd: int | None = None
        self._record: SupervisorRecord | None = None

    @property
    def control_socket(self) -> Path:
        return self.path / "control.sock"

    @property
    def status_page(self) -> Path:
        return self.path / "status.page"

    def acquire(self, supervisor: UUID) -> list[UUID]:
        """Become the project's supervisor; the incarnations before this one, known to be dead.

        The kernel drops the lock with its holder, so whoever left its name here is gone. It may
        have died before it had recovered the one before itself, so that there may be several.
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
        dead = [previous.supervisor, *previous.unrecovered][:_REMEMBERED] if previous else []
        self._write(SupervisorRecord(os.getpid(), supervisor, dead))
        self._sweep()
        return dead

    def recovered(self) -> None:
        """Forget those whose steps have been recovered."""
        if self._record is not None and self._record.unrecovered:
            self._write(SupervisorRecord(self._record.pid, self._record.supervisor))

    def release(self, *, clean: bool) -> None:
        """Give up the lock; the record stays where the next supervisor has something to recover."""
        if self._lock_fd is not None:
            self._sweep()
            if clean and self._record is not None and not self._record.unrecovered:
                os.ftruncate(self._lock_fd, 0)
            os.close(self._lock_fd)
            self._lock_fd = None

    def _sweep(self) -> None:
        for file in (self.control_socket, self.status_page):
            file.unlink(missing_ok=True)

    def _write(self, record: SupervisorRecord) -> None:
        """In one store over the old one: killed at any moment, one of the two is there."""
        assert self._lock_fd is not None
        os.pwrite(self._lock_fd, msgspec.json.encode(record).ljust(_RECORD_BYTES), 0)
        self._record = record

    def _read(self, fd: int) -> SupervisorRecord | None:
        try:
            return msgspec.json.decode(os.pread(fd, _RECORD_BYTES, 0), type=SupervisorRecord)
        except msgspec.DecodeError:
            return None
