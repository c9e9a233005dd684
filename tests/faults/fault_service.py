"""Keeps the supervisor of a project running, as a service manager would."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any, BinaryIO, Self

import msgspec
from engine_project import eventually
from fault_project import FaultProject

from tasker_mp.config import Config

LIMIT = 40.0
_STARTS = 6
_MESSAGE_BYTES = 4096


class Launcher:
    """The process that supervisors are forked from; one for all tests of this process."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, Path(__file__).with_name("launcher.py"), str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
            )

    def start(self, root: Path, *files: BinaryIO) -> int:
        """The pid of a new supervisor in `root`, with these for stdin, stdout and stderr."""
        pid: int = self._ask({"start": str(root)}, [file.fileno() for file in files])
        return pid

    def poll(self, pid: int) -> int | None:
        """The exit status of an ended supervisor, told once; a signal's number is negative."""
        code: int | None = self._ask({"poll": pid}, [])
        return code

    def _ask(self, request: dict[str, Any], fds: list[int]) -> Any:
        socket.send_fds(self._socket, [json.dumps(request).encode()], fds)
        return json.loads(self._socket.recv(_MESSAGE_BYTES))

    def close(self) -> None:
        self._socket.close()
        self._process.wait()


class Service:
    """`ends` has the exit status of each supervisor that has ended."""

    def __init__(self, launcher: Launcher, project: FaultProject) -> None:
        self.project = project
        self.ends: list[int] = []
        self._launcher = launcher
        # No lease runs out in a test: what is recovered is recovered by the successor.
        self._config: Config = project.config(steps__lease=600)

    def __enter__(self) -> Self:
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._pid is not None:
            os.kill(self._pid, signal.SIGKILL)
            eventually(self._ended, LIMIT)

    def keep(self) -> None:
        """Start it again if it has ended."""
        if self._ended():
            assert len(self.ends) < _STARTS, f"it ends again and again: {self.ends}"
            self._start()

    def stop(self) -> None:
        """Have it drain and leave; where it is killed over that, its successor must."""
        while True:
            eventually(self._ready, LIMIT, "the supervisor is ready")
            assert self._pid is not None
            os.kill(self._pid, signal.SIGTERM)
            eventually(self._ended, LIMIT, "the supervisor leaves")
            if self.ends[-1] != -signal.SIGKILL:
                return
            self._start()

    def _start(self) -> None:
        stdin, self._stdin = _pipe()
        self._stdout, stdout = _pipe()
        os.set_blocking(self._stdout.fileno(), False)
        self._said = b""
        with stdin, stdout, (self.project.root / "stderr").open("ab") as stderr:
            self._pid: int | None = self._launcher.start(self.project.root, stdin, stdout, stderr)
        self._stdin.write(msgspec.json.encode(self._config, enc_hook=str) + b"\n")
        self._stdin.flush()

    def _ready(self) -> bool:
        self.keep()
        self._said += self._stdout.read() or b""
        return self._said == b"ready\n"

    def _ended(self) -> bool:
        """Whether it has ended just now."""
        assert self._pid is not None
        code = self._launcher.poll(self._pid)
        if code is None:
            return False
        self.ends.append(code)
        self._pid = None
        self._stdin.close()
        self._stdout.close()
        return True


def _pipe() -> tuple[BinaryIO, BinaryIO]:
    reader, writer = os.pipe()
    return os.fdopen(reader, "rb"), os.fdopen(writer, "wb")
