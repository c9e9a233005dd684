"""Another process that answers a wake-up with one, by eventfds as the engine's processes do.

python -m bench.latency.echo IN OUT PARENT CORE      descriptors, a pid, and where it runs (-1: any)
"""

import os
import subprocess
import sys
import time
from types import TracebackType
from typing import Self

from bench.project import REPOSITORY
from tasker_mp.process import die_with_parent


class Echo:
    """A context manager. The other process stays on the last core, where there are several."""

    def __init__(self) -> None:
        self._cores = os.sched_getaffinity(0)
        self._ours, self._theirs = os.eventfd(0), os.eventfd(0)
        far = max(self._cores) if len(self._cores) > 1 else -1
        numbers = (self._theirs, self._ours, os.getpid(), far)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.latency.echo", *map(str, numbers)],
            cwd=REPOSITORY,
            stdin=subprocess.DEVNULL,
            pass_fds=[self._ours, self._theirs],
            start_new_session=True,
        )

    def round_trips(self, count: int) -> list[float]:
        """Seconds of each: to wake the other process, and be woken by it. This thread is on the
        first core meanwhile."""
        os.sched_setaffinity(0, {min(self._cores)})
        try:
            return [self._round_trip() for _ in range(count)]
        finally:
            os.sched_setaffinity(0, self._cores)

    def _round_trip(self) -> float:
        began = time.perf_counter()
        os.eventfd_write(self._theirs, 1)
        os.eventfd_read(self._ours)
        return time.perf_counter() - began

    def __enter__(self) -> Self:
        self.round_trips(1)  # it runs
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._ours)
        os.close(self._theirs)


def main() -> None:
    source, target, parent, core = map(int, sys.argv[1:])
    die_with_parent(parent)
    if core >= 0:
        os.sched_setaffinity(0, {core})
    while True:
        os.eventfd_read(source)
        os.eventfd_write(target, 1)


if __name__ == "__main__":
    main()
