"""Where the lines of the log go: standard error, whole, and never waiting for who reads it."""

import os
import select
import socket
import stat
from collections.abc import Callable
from contextlib import suppress

STDERR = 2


class Outlet:
    """Writes a line with one system call, or else counts it as dropped.

    A pipe or a terminal whose reader stands still would stop every writer. So it is opened anew, to
    have a description of its own that does not block: the one that was inherited is shared with
    other programs. No lock and no buffer: a signal handler may write at any moment. `told(n)` is
    the line that says how many were dropped before.
    """

    def __init__(self, told: Callable[[int], bytes], fd: int = STDERR) -> None:
        self.dropped = 0
        self._told = told
        self._rest = b""
        self._fd = _own(fd)
        kind = os.fstat(self._fd).st_mode
        self._socket = socket.socket(fileno=self._fd) if stat.S_ISSOCK(kind) else None
        self._waiting: select.poll | None = None
        if self._socket is None and not stat.S_ISREG(kind) and os.get_blocking(self._fd):
            self._waiting = select.poll()
            self._waiting.register(self._fd, select.POLLOUT)

    def write(self, line: bytes) -> bool:
        """Whether it was taken; the first that is after others were not comes with their number."""
        dropped, self.dropped = self.dropped, 0
        if dropped and not self._put(self._told(dropped)):
            self.dropped += dropped + 1
            return False
        if self._put(line):
            return True
        self.dropped += 1
        return False

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
        else:
            os.close(self._fd)

    def _put(self, line: bytes) -> bool:
        """A terminal may take the beginning of a line: the rest of it goes in front of the next."""
        rest, self._rest = self._rest, b""
        whole = rest + line if rest else line
        try:
            written = self._send(whole)
        except OSError:  # full, closed, or nobody is there any more
            written = 0
        if written:
            self._rest = whole[written:]
            return True
        self._rest = rest
        return False

    def _send(self, line: bytes) -> int:
        if self._socket is not None:
            return self._socket.send(line, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
        if self._waiting is not None and not self._waiting.poll(0):
            return 0
        return os.write(self._fd, line)


def _own(fd: int) -> int:
    """A descriptor of the same file, with a description of its own where that is possible; not of
    an ordinary file, of which all writers share one place."""
    try:
        kind = os.fstat(fd).st_mode
    except OSError:  # closed: as if it were thrown away
        return os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    if stat.S_ISFIFO(kind) or os.isatty(fd):
        flags = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
        with suppress(OSError):
            return os.open(f"/proc/self/fd/{fd}", flags)
    own = os.dup(fd)
    os.set_inheritable(own, False)
    return own
