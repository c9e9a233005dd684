"""What a worker writes past Python (C code, programs it starts, its last words), as log lines."""

import asyncio
import fcntl
import os
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from tasker_mp import logs
from tasker_mp.log_budget import Budget
from tasker_mp.log_line import LINE_BYTES

_READ_BYTES = 1 << 16
_READS = 16
"""In a row, of a pipe that is flooded."""
_PARTIAL_BYTES = 2 * LINE_BYTES
_PIPE_BYTES = 1 << 20
_LINES = 500
"""Of one pipe that are logged in a second."""
_REST_SHARE = 10
"""A pipe that is flooded has a tenth of the loop's time at most, so that nobody else feels it."""

_REPORT_SECONDS = 1.0

STREAMS = (("stdout", "info"), ("stderr", "warning"))


class WorkerOutput:
    """One pipe from a worker and all it starts; read until the last of them has closed it.

    `who()` says whose lines these are at the moment: the worker and the step that it runs.
    """

    def __init__(self, fd: int, stream: str, level: str, who: Callable[[], dict[str, Any]]) -> None:
        os.set_blocking(fd, False)
        self._fd = fd
        self._stream = stream
        self._level = level
        self._who = who
        self._partial = b""
        self._budget = Budget(_LINES)
        self._telling: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(fd, self._read)

    def _read(self) -> None:
        started, dropped = time.thread_time(), self._budget.dropped
        for _ in range(_READS):
            try:
                data = os.read(self._fd, _READ_BYTES)
            except BlockingIOError:
                break
            if not data:
                self.close()
                return
            if not self._budget.exhausted(time.monotonic()):
                self._feed(data)
                break
            self._skip(data)
        if self._budget.dropped > dropped:
            self._rest((time.thread_time() - started) * _REST_SHARE)
        if self._budget.dropped and self._telling is None:
            self._telling = self._loop.call_later(_REPORT_SECONDS, self._tell)

    def _rest(self, seconds: float) -> None:
        self._loop.remove_reader(self._fd)
        self._loop.call_later(seconds, self._resume)

    def _resume(self) -> None:
        if self._fd >= 0:
            self._loop.add_reader(self._fd, self._read)

    def _feed(self, data: bytes) -> None:
        *lines, rest = (self._partial + data).split(b"\n")
        now, who = time.monotonic(), self._who()
        for line in lines:
            if self._budget.allows(now):
                self._log(line, who)
        self._partial = rest[:_PARTIAL_BYTES]

    def _skip(self, data: bytes) -> None:
        """Count the lines; of one that does not end yet the beginning is kept."""
        ends = data.count(b"\n")
        self._budget.dropped += ends
        begun = data[data.rfind(b"\n") + 1 :] if ends else self._partial + data
        self._partial = begun[:_PARTIAL_BYTES]

    def _tell(self) -> None:
        """How much was dropped in the last second."""
        self._telling = None
        if self._budget.dropped:
            told = {**self._who(), "stream": self._stream, "lines": self._budget.take_dropped()}
            logs.write("warning", "output dropped: too many lines", told)

    def _log(self, line: bytes, who: dict[str, Any]) -> None:
        if text := line.decode(errors="backslashreplace").rstrip():
            logs.write(self._level, text, {**who, "stream": self._stream})

    def close(self) -> None:
        """The last line may lack its end."""
        if self._fd < 0:
            return
        self._loop.remove_reader(self._fd)
        os.close(self._fd)
        self._fd = -1
        if self._partial:
            self._log(self._partial, self._who())
        if self._telling is not None:
            self._telling.cancel()
        self._tell()


def output_pipe() -> tuple[int, int]:
    """The ends to read and to write of a pipe with room for a flood."""
    reader, writer = os.pipe2(os.O_CLOEXEC)
    with suppress(OSError):  # the user has too many large ones
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    return reader, writer
