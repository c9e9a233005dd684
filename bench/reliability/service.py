"""`tasker-mp start` as a service manager runs it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil

from bench.reliability.patience import until
from tasker_mp.control import Command, ask
from tasker_mp.engine.runtime import RuntimeDirectory
from tasker_mp.errors import EngineError, UnreachableError

_STOP_LIMIT = 30.0
_REPOSITORY = Path(__file__).parents[2]


class Service:
    """The supervisor of the project in `root`; its log is `log` there."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._socket = RuntimeDirectory(root).control_socket
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> int:
        """Execute it; the moment before, in monotonic nanoseconds."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith("TASKER_")}
        with (self._root / "log").open("ab") as log:
            began = time.monotonic_ns()
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tasker_mp", "start"],
                cwd=self._root,
                env=kept | {"PYTHONPATH": str(_REPOSITORY)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # a Ctrl-C in the terminal is not meant for it
            )
        return began

    def await_ready(self) -> None:
        until(self._is_ready, "all workers serve")

    def _is_ready(self) -> bool:
        assert self._process is not None
        if (code := self._process.poll()) is not None:
            raise EngineError(f"the supervisor ended ({code}): {self._last_words()}")
        try:
            workers = self.command("status")["workers"]
        except UnreachableError:
            return False
        return all(worker["state"] in ("idle", "busy") for worker in workers)

    def _last_words(self) -> str:
        lines = (self._root / "log").read_text().strip().splitlines()
        return lines[-1] if lines else "it said nothing"

    def command(self, name: str) -> dict[str, Any]:
        return ask(self._socket, Command(name))

    def children(self, role: str = "") -> list[int]:
        """Its processes that have that role (`worker`, `zygote`), or all; the oldest first."""
        found = []
        for child in psutil.Process(self.pid).children():
            try:
                if " ".join(child.cmdline()).startswith(f"tasker-mp: {role}"):
                    found.append(child.pid)
            except psutil.NoSuchProcess:
                continue
        return found

    def kill(self) -> None:
        """SIGKILL; it is not waited for."""
        assert self._process is not None
        self._process.kill()

    def reap(self) -> None:
        assert self._process is not None
        self._process.wait()

    def stop(self) -> None:
        """Have it drain and leave, or else end it; harmless where it does not run."""
        if self._process is None:
            return
        process, self._process = self._process, None
        process.terminate()
        try:
            process.wait(_STOP_LIMIT)
        except BaseException:
            process.kill()
            process.wait()
            raise


def kill_worker(pid: int, supervisor: int) -> int | None:
    """SIGKILL to a child of the supervisor; the moment before, None where it is none any more.

    The descriptor comes first, so that what was looked at is what is hit.
    """
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return None
    try:
        if psutil.Process(pid).ppid() != supervisor:
            return None
        began = time.monotonic_ns()
        signal.pidfd_send_signal(fd, signal.SIGKILL)
    except (ProcessLookupError, psutil.NoSuchProcess):
        return None
    finally:
        os.close(fd)
    return began
