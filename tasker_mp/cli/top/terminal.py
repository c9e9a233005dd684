"""The alternate screen of a terminal, which is given back as it was however the view ends."""

import os
import select
import signal
import termios
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Any, Final, NamedTuple, Self

from tasker_mp.errors import InvalidInputError

_ENTER: Final = b"\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J"
_LEAVE: Final = b"\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l"
_READ_BYTES = 4096
_PATIENCE = 1.0
"""Seconds that the last bytes wait for a terminal which takes none."""
_FALLBACK = (80, 24)
_TOO_PLAIN = ("", "dumb", "unknown")

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
_CAUGHT = (*_ENDING, signal.SIGWINCH, signal.SIGTSTP)


class Happened(NamedTuple):
    """`keys` are bytes; after `redraw` nothing of what was drawn is on the screen."""

    keys: bytes = b""
    redraw: bool = False


class Terminal:
    """Used as a context manager, in the main thread: the signals are its own as long as it lasts.

    Handlers only note a signal; `wait` and `write` tell of it. SIGINT becomes `KeyboardInterrupt`,
    what else ends a process `SystemExit` with its code.
    """

    def __init__(self, fd: int) -> None:
        self._stdout = fd
        self._noted: list[int] = []
        self._saved_modes: list[Any] | None = None
        self._saved_handlers: dict[int, Any] = {}
        self._waking = threading.Lock()
        self._open = False
        self._redraw = False

    def __enter__(self) -> Self:
        self._fd = _own_description(self._stdout)
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            self._open = True
            self._saved_wakeup = signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
            for signum in _CAUGHT:
                self._saved_handlers[signum] = signal.signal(signum, self._note)
            self._take()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._end()
        if kind is None:  # what came too late for the loop still counts
            self._noted = [signum for signum in self._noted if signum in _ENDING]
            self._heed()

    def size(self) -> tuple[int, int]:
        """Columns and lines; a terminal that does not know says 0."""
        try:
            columns, lines = os.get_terminal_size(self._fd)
        except OSError:
            return _FALLBACK
        return columns or _FALLBACK[0], lines or _FALLBACK[1]

    def write(self, text: bytes) -> None:
        """All of it, however slowly the terminal takes it."""
        rest = memoryview(text)
        while rest:
            self._heed()
            rest = rest[self._write_some(rest) :]

    def wait(self, seconds: float) -> Happened:
        """Until a key, another size, a `wake` or the end of that time."""
        self._heed()
        ready, _, _ = select.select([self._fd, self._wake_read], [], [], max(seconds, 0))
        with suppress(BlockingIOError):
            if self._wake_read in ready:
                os.read(self._wake_read, _READ_BYTES)
        self._heed()
        redraw, self._redraw = self._redraw, False
        return Happened(self._read() if self._fd in ready else b"", redraw)

    def wake(self) -> None:
        """End a `wait`, from any thread; also when there is none any more."""
        with self._waking, suppress(BlockingIOError):
            if self._open:
                os.write(self._wake_write, b"\0")

    # -- signals ------------------------------------------------------------------------------

    def _note(self, signum: int, _frame: FrameType | None) -> None:
        self._noted.append(signum)

    def _heed(self) -> None:
        """Act on what was noted; the next `wait` tells whether to draw anew."""
        while self._noted:
            signum = self._noted.pop(0)
            if signum == signal.SIGINT:
                raise KeyboardInterrupt
            if signum in _ENDING:
                raise SystemExit(128 + signum)
            if signum == signal.SIGTSTP:
                self._stop_job()
            self._redraw = True

    def _stop_job(self) -> None:
        """Ctrl-Z: the shell gets its terminal back until it continues this process."""
        self._give_back()
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, self._note)
        self._take()

    # -- modes --------------------------------------------------------------------------------

    def _take(self) -> None:
        """Keys one by one, unechoed, Ctrl-S too: a halted terminal could not be given back."""
        self._saved_modes = termios.tcgetattr(self._fd)
        modes = termios.tcgetattr(self._fd)
        modes[0] &= ~(termios.IXON | termios.ICRNL)
        modes[3] &= ~(termios.ICANON | termios.ECHO)
        modes[6][termios.VMIN], modes[6][termios.VTIME] = 1, 0
        termios.tcsetattr(self._fd, termios.TCSANOW, modes)
        self.write(_ENTER)

    def _give_back(self) -> None:
        if self._saved_modes is None:
            return
        deadline = time.monotonic() + _PATIENCE
        rest = memoryview(_LEAVE)
        with suppress(OSError):
            while rest and time.monotonic() < deadline:
                select.select([], [self._fd], [], deadline - time.monotonic())
                with suppress(BlockingIOError):
                    rest = rest[os.write(self._fd, rest) :]
        with suppress(OSError, termios.error):
            termios.tcsetattr(self._fd, termios.TCSANOW, self._saved_modes)
        self._saved_modes = None

    def _end(self) -> None:
        self._give_back()
        signal.set_wakeup_fd(self._saved_wakeup)
        for signum, handler in self._saved_handlers.items():
            signal.signal(signum, handler)
        self._saved_handlers.clear()
        with self._waking:
            self._open = False
            for fd in (self._fd, self._wake_read, self._wake_write):
                os.close(fd)

    # -- bytes --------------------------------------------------------------------------------

    def _read(self) -> bytes:
        """What was typed; the end of it is that of the terminal."""
        try:
            typed = os.read(self._fd, _READ_BYTES)
        except BlockingIOError:
            return b""
        except OSError:
            typed = b""
        if not typed:
            raise SystemExit(128 + signal.SIGHUP)
        return typed

    def _write_some(self, rest: memoryview) -> int:
        try:
            return os.write(self._fd, rest)
        except BlockingIOError:
            select.select([self._wake_read], [self._fd], [])
        except OSError:
            raise SystemExit(128 + signal.SIGHUP) from None
        return 0


def can_draw(fd: int) -> bool:
    return os.isatty(fd) and _type() not in _TOO_PLAIN


def require_terminal(fd: int, otherwise: str) -> None:
    """`InvalidInputError` with what to do instead, where nothing can be drawn."""
    if not os.isatty(fd):
        raise InvalidInputError(f"stdout is not a terminal: {otherwise}")
    if not can_draw(fd):
        raise InvalidInputError(
            f"a terminal of type {_type()!r} (TERM) cannot be drawn on: {otherwise}"
        )


def _type() -> str:
    return os.environ.get("TERM", "")


def _own_description(fd: int) -> int:
    """The same terminal, opened anew: to be non-blocking here and not for whoever shares `fd`."""
    flags = os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC
    places: Sequence[str] = ("/dev/tty",)
    with suppress(OSError):
        places = (os.ttyname(fd), *places)
    for place in places:
        with suppress(OSError):
            return os.open(place, flags)
    return os.dup(fd)
