"""What a child process says on stderr, kept back while the terminal shows a view."""

import os
import sys
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

_KEPT = 200
"""Lines: the last ones say why it ended."""
_LAST_WORDS = 2.0
"""Seconds to wait for the end of what it said; its own children may hold the pipe open."""


class Aside:
    """A pipe for the child's stderr, which is passed on line by line, except while `held`."""

    def __init__(self) -> None:
        self._lines: deque[bytes] = deque(maxlen=_KEPT)
        self._held = False
        self._lock = threading.Lock()
        self._read_fd, self.fd = os.pipe2(os.O_CLOEXEC)
        self._thread = threading.Thread(target=self._pass_on, daemon=True, name="stderr")
        self._thread.start()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep back what is said, and tell the end of it afterwards; a file gets it at once."""
        self._held = sys.stderr.isatty()
        try:
            yield
        finally:
            with self._lock:
                self._held = False
                _write(b"".join(self._lines))
                self._lines.clear()

    def started(self) -> None:
        """The child has its end of the pipe; without this process's, its death is the end."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def _pass_on(self) -> None:
        with os.fdopen(self._read_fd, "rb") as said:
            for line in said:
                with self._lock:
                    if self._held:
                        self._lines.append(line)
                    else:
                        _write(line)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.started()
        self._thread.join(_LAST_WORDS)


def _write(text: bytes) -> None:
    sys.stderr.buffer.write(text)
    sys.stderr.buffer.flush()
