"""`tasker-mp top` on a terminal of its own, which is read as fast as it is drawn."""

import fcntl
import os
import select
import struct
import subprocess
import termios
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from bench.usage import exact_seconds
from bench.watching.program import started
from tasker_mp.errors import EngineError

_COLUMNS, _LINES = 120, 40
_LIMIT = 30.0
_POLL = 0.02
_FRAME_BYTES = 2000
"""Of a frame at this size at least; what is written before is less."""
_SIGTERM_LIMIT = 10.0


class Top:
    """A context manager; running, with its first frame drawn, inside of the block."""

    def __init__(self, root: Path) -> None:
        self._master, slave = os.openpty()
        try:
            size = struct.pack("HHHH", _LINES, _COLUMNS, 0, 0)
            fcntl.ioctl(self._master, termios.TIOCSWINSZ, size)
            self._process = started(root, "top", terminal=slave)
        except BaseException:
            os.close(self._master)
            raise
        finally:
            os.close(slave)
        self.drawn = 0
        self._closed = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)

    def _read(self) -> None:
        while not self._closed.is_set():
            if select.select([self._master], [], [], 0.1)[0]:
                with suppress(OSError):  # nobody writes any more
                    self.drawn += len(os.read(self._master, 1 << 16))

    def cpu_seconds(self) -> float:
        """Since its start; `EngineError` where it has ended."""
        if (code := self._process.poll()) is not None:
            raise EngineError(f"top ended with {code} while it was measured")
        return exact_seconds(psutil.Process(self._process.pid))

    def __enter__(self) -> Self:
        self._reader.start()
        try:
            self._await_frame()
        except BaseException:
            self._close()
            raise
        return self

    def _await_frame(self) -> None:
        deadline = time.monotonic() + _LIMIT
        while self.drawn < _FRAME_BYTES:
            self.cpu_seconds()
            if time.monotonic() > deadline:
                raise EngineError(f"top drew nothing within {_LIMIT:g} s")
            time.sleep(_POLL)

    def _close(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(_SIGTERM_LIMIT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        finally:
            self._closed.set()
            self._reader.join()
            os.close(self._master)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._close()
