"""`tasker-mp start` as a service manager runs it: started again whenever it ends."""

import signal
import subprocess
import sys
import time
from typing import Final, NamedTuple

from tools.chaos.processes import Mark
from tools.chaos.project import Project

_RESTART_SECONDS: Final = 0.05
_STOP_LIMIT: Final = 60.0


class Exit(NamedTuple):
    """A supervisor that ended, when (monotonic nanoseconds) and with which status."""

    pid: int
    at_ns: int
    code: int


class Service:
    """`pid` is the running supervisor's; None between an end and the next start."""

    def __init__(self, project: Project, mark: Mark) -> None:
        self._project = project
        self._mark = mark
        self._process: subprocess.Popen[bytes] | None = None
        self._start_at = 0.0
        self.starts = 0
        self.exits: list[Exit] = []

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def keep_alive(self) -> None:
        """Collect the supervisor where it has ended, and start another one a moment later."""
        if self._process is not None and (code := self._process.poll()) is not None:
            self.exits.append(Exit(self._process.pid, time.monotonic_ns(), code))
            self._process = None
            self._start_at = time.monotonic() + _RESTART_SECONDS
        if self._process is None and time.monotonic() >= self._start_at:
            self._start()

    def _start(self) -> None:
        self.starts += 1
        with self._project.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tasker_mp", "start"],
                cwd=self._project.root,
                env=self._project.environment() | self._mark.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def stop(self) -> int | None:
        """Have it drain and leave; its exit status, None where there was none to stop."""
        if self._process is None:
            return None
        process, self._process = self._process, None
        process.send_signal(signal.SIGCONT)
        process.send_signal(signal.SIGTERM)
        try:
            return process.wait(_STOP_LIMIT)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()

    def kill(self) -> None:
        """At once, and its workers with it: for a run that is given up."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
