"""A terminal to run a command on: what it draws, its modes, and the keys that it is sent."""

import fcntl
import os
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

LIMIT = 20.0
_BUFFER = 4000
"""Bytes of output that a pseudo-terminal holds at least, before it takes no more."""
ENTER, LEAVE = b"\x1b[?1049h", b"\x1b[?1049l"

# The terminal becomes the controlling one, so that Ctrl-C and a new size reach the command.
_ON_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""
_DRAWN = re.compile(rb"\x1b\[(\d+);1H((?:\x1b\[[0-9;]*m|[^\x1b])*)")
_STYLE = re.compile(rb"\x1b\[[0-9;]*m")


class Screen:
    """A pseudo-terminal with a Python command on it; `drain` says whether anybody reads it."""

    def __init__(
        self,
        command: Sequence[str],
        root: Path,
        environment: dict[str, str],
        size: tuple[int, int],
        *,
        drain: bool = True,
    ) -> None:
        self.master, self._slave = os.openpty()
        self.resize(*size)
        self.modes_before = termios.tcgetattr(self._slave)
        self.process = subprocess.Popen(
            [sys.executable, "-c", _ON_TERMINAL, *command],
            cwd=root,
            env=environment | {"TERM": "xterm-256color", "LC_ALL": "C.UTF-8"},
            stdin=self._slave,
            stdout=self._slave,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self._drawn = b""
        self._closed = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        if drain:
            self._reader.start()

    def _read(self) -> None:
        while not self._closed.is_set():
            if select.select([self.master], [], [], 0.05)[0]:
                with suppress(OSError):
                    self._drawn += os.read(self.master, 65536)

    @property
    def drawn(self) -> bytes:
        """All that was written to the terminal so far."""
        return self._drawn

    def rows(self) -> dict[int, str]:
        """The text of each line since the screen was last cleared."""
        shown: dict[int, str] = {}
        for number, text in _DRAWN.findall(self._drawn.rsplit(b"\x1b[2J", 1)[-1]):
            shown[int(number)] = _STYLE.sub(b"", text).decode(errors="replace")
        return shown

    def shows(self, text: str) -> None:
        """Wait until a line of the screen has that text."""
        self.until(lambda: any(text in row for row in self.rows().values()), text)

    def until(self, condition: Callable[[], Any], what: str) -> None:
        deadline = time.monotonic() + LIMIT
        while not condition():
            shown = "\n".join(row for _, row in sorted(self.rows().items()))
            assert time.monotonic() < deadline, f"not in time: {what}\n{shown}"
            time.sleep(0.01)

    def is_full(self) -> bool:
        """Whether nobody reads it and it takes no more: a frame does not fit into its buffer."""
        unread = bytearray(4)
        fcntl.ioctl(self.master, termios.FIONREAD, unread)
        return int.from_bytes(unread, sys.byteorder) >= _BUFFER

    def press(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def resize(self, columns: int, lines: int) -> None:
        size = struct.pack("HHHH", lines, columns, 0, 0)
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, size)

    def hang_up(self) -> None:
        """As when the window is closed."""
        self._stop_reading()
        os.close(self.master)
        self.master = -1

    def ended(self) -> int:
        """The exit code; the terminal is as it was before by then."""
        code = self.process.wait(LIMIT)
        self._await_silence()
        return code

    def assert_restored(self) -> None:
        assert termios.tcgetattr(self._slave) == self.modes_before
        assert self.drawn.count(ENTER) == self.drawn.count(LEAVE) > 0
        assert self.drawn.rindex(LEAVE) > self.drawn.rindex(b"\x1b[?25h") > 0

    def _await_silence(self) -> None:
        while self.master >= 0 and self._reader.is_alive():
            before = len(self._drawn)
            time.sleep(0.1)
            if len(self._drawn) == before:
                return

    def _stop_reading(self) -> None:
        self._closed.set()
        if self._reader.is_alive():
            self._reader.join()

    @property
    def said(self) -> str:
        """All of stderr, once it has ended."""
        assert self.process.stderr is not None
        return self.process.stderr.read().decode()

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(LIMIT)
        assert self.process.stderr is not None
        self.process.stderr.close()
        self._stop_reading()
        for fd in (self.master, self._slave):
            if fd >= 0:
                os.close(fd)


@contextmanager
def screen(
    command: Sequence[str],
    root: Path,
    environment: dict[str, str],
    size: tuple[int, int] = (100, 30),
    *,
    drain: bool = True,
) -> Iterator[Screen]:
    shown = Screen(command, root, environment, size, drain=drain)
    try:
        yield shown
    finally:
        shown.close()
