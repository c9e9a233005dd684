"""A Redis of the bench's own: durable, on a Unix socket, gone afterwards."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bench.peers.peer import PeerError
from bench.peers.program import REPOSITORY, mortal

_LIMIT = 20.0
_DURABLE = ("--appendonly", "yes", "--appendfsync", "always", "--save", "")


def is_present() -> bool:
    return shutil.which("redis-server") is not None


@contextmanager
def broker(folder: Path) -> Iterator[str]:
    """The path of its socket; its data are in `folder`."""
    path = folder / "redis.sock"
    quiet = ("--port", "0", "--unixsocket", str(path), "--dir", str(folder), "--daemonize", "no")
    process = subprocess.Popen(
        [*mortal(), "redis-server", *quiet, *_DURABLE],
        cwd=REPOSITORY,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        _await(process, str(path))
        yield str(path)
    finally:
        process.kill()
        process.wait()


def _await(process: subprocess.Popen[bytes], path: str) -> None:
    deadline = time.monotonic() + _LIMIT
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise PeerError(f"redis-server ended ({process.returncode})")
        with suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
            connection.connect(path)
            return
        time.sleep(0.02)
    raise PeerError(f"redis-server does not listen after {_LIMIT:g} s")
