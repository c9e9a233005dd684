"""What the measured steps say when they begin, by a named pipe in the project."""

import os
import select
from collections import deque
from pathlib import Path
from typing import NamedTuple

from tasker_mp.errors import EngineError

_LIMIT = 60.0
_BYTES = 1 << 16


class Entry(NamedTuple):
    """A step that began at `at_ns` (monotonic) in process `pid`; it forked `child`, or 0."""

    at_ns: int
    pid: int
    child: int
    form: str


class Entries:
    """The reading end. A line is one write, so lines of several workers never mix."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path, 0o600)
        # For writing, too: a pipe without writers would always be readable.
        self._fd = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self._unread: deque[Entry] = deque()
        self._rest = b""

    def fileno(self) -> int:
        return self._fd

    def read(self) -> list[Entry]:
        """All that have come and were not read yet."""
        self._fill()
        found = list(self._unread)
        self._unread.clear()
        return found

    def next(self, limit: float = _LIMIT) -> Entry:
        """The next one, waiting for it."""
        self._fill()
        while not self._unread:
            if not select.select([self._fd], [], [], limit)[0]:
                raise EngineError(f"no step began within {limit:g} s")
            self._fill()
        return self._unread.popleft()

    def _fill(self) -> None:
        try:
            *lines, self._rest = (self._rest + os.read(self._fd, _BYTES)).split(b"\n")
        except BlockingIOError:
            return
        for line in lines:
            at_ns, pid, child, form = line.decode().split()
            self._unread.append(Entry(int(at_ns), int(pid), int(child), form))

    def close(self) -> None:
        os.close(self._fd)
