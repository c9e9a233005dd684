"""How long this thread was ready to run and had no core: that time is the machine's."""

import os


class RunDelay:
    """As the scheduler counts it; 0 where the kernel does not tell. For the thread that made it.

    Source: the second number of /proc/thread-self/schedstat, in nanoseconds.
    """

    def __init__(self) -> None:
        try:
            self._fd: int | None = os.open("/proc/thread-self/schedstat", os.O_RDONLY)
        except OSError:
            self._fd = None
        self._marked_ns = 0
        self.mark()

    def mark(self) -> None:
        """Begin anew; for less than a microsecond."""
        self._marked_ns = self._total_ns()

    def since_mark_ns(self) -> int:
        return self._total_ns() - self._marked_ns

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)

    def _total_ns(self) -> int:
        return 0 if self._fd is None else int(os.pread(self._fd, 64, 0).split()[1])
