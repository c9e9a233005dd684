"""The last two minutes of throughput and latency, as sparklines show them."""

from collections import deque
from collections.abc import Callable
from itertools import pairwise
from typing import Final, NamedTuple

from tasker_mp.snapshot import Snapshot

SECONDS: Final = 120
_PATH = ("ring", "run", "collect", "commit")
"""The stages between a step's claim and its commit."""


class _Sample(NamedTuple):
    at: float
    committed: int
    microseconds: int


class History:
    """Of one supervisor: another one's begins anew."""

    def __init__(self) -> None:
        self._samples: deque[_Sample] = deque()
        self._whose: tuple[int, int] | None = None

    def add(self, snapshot: Snapshot) -> None:
        whose = (snapshot.pid, snapshot.start_ticks)
        if whose != self._whose:
            self._whose = whose
            self._samples.clear()
        sample = _sample(snapshot)
        if self._samples and sample.at <= self._samples[-1].at:
            return
        self._samples.append(sample)
        while self._samples[0].at < sample.at - SECONDS - 2:
            self._samples.popleft()

    def throughput(self, columns: int) -> list[float | None]:
        """Committed steps a second, the newest last; None where nothing was observed."""
        return self._columns(columns, lambda a, b: (b.committed - a.committed) / (b.at - a.at))

    def latency(self, columns: int) -> list[float | None]:
        """Mean milliseconds from claim to commit; None where nothing was committed, too."""
        return self._columns(columns, _mean_latency)

    def _columns(
        self, columns: int, value: Callable[[_Sample, _Sample], float | None]
    ) -> list[float | None]:
        """Columns begin at multiples of their length, so that what is past stays as it was.

        Where no sample fell into a column, it shows what passed from the one before to the next.
        """
        if not self._samples:
            return [None] * columns
        length = SECONDS / columns
        first, newest = self._samples[0], int(self._samples[-1].at / length)
        lasts = {int(sample.at / length): sample for sample in self._samples}
        found: dict[int, float | None] = {}
        for (begin, before), (end, after) in pairwise(
            [(int(first.at / length) - 1, first), *lasts.items()]
        ):
            if after.at > before.at:
                passed = value(before, after)
                found |= dict.fromkeys(range(max(begin, newest - columns) + 1, end + 1), passed)
        return [found.get(column) for column in range(newest - columns + 1, newest + 1)]


def _sample(snapshot: Snapshot) -> _Sample:
    stages = [snapshot.stages[name] for name in _PATH if name in snapshot.stages]
    committed = snapshot.stages["commit"].passed if "commit" in snapshot.stages else 0
    total = sum(stage.durations.total for stage in stages)
    return _Sample(snapshot.written_ns / 1e9, committed, total)


def _mean_latency(before: _Sample, after: _Sample) -> float | None:
    committed = after.committed - before.committed
    return (after.microseconds - before.microseconds) / committed / 1000 if committed else None
