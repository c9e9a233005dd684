"""The supervisor's counters, and recent durations from which percentiles are read."""

import time
from collections import Counter, deque
from collections.abc import Iterator

from tasker_mp.db.store import Finished

_WINDOW_SECONDS = 10.0


class Samples:
    """The latest durations in milliseconds, enough of them for a 99th percentile."""

    def __init__(self, kept: int = 2000) -> None:
        self._values: deque[float] = deque(maxlen=kept)

    def add(self, milliseconds: float) -> None:
        self._values.append(milliseconds)

    def percentile(self, percent: float) -> float | None:
        """The nearest-rank percentile, None without samples."""
        if not self._values:
            return None
        ordered = sorted(self._values)
        return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


class Rate:
    """Events a second over the last ten seconds."""

    def __init__(self) -> None:
        self._marks: deque[tuple[float, int]] = deque()

    def add(self, count: int) -> None:
        now = time.monotonic()
        self._marks.append((now, count))
        self._drop(now)

    def per_second(self) -> float:
        now = time.monotonic()
        self._drop(now)
        if not self._marks:
            return 0.0
        span = max(now - self._marks[0][0], 1.0)
        return sum(count for _, count in self._marks) / span

    def _drop(self, now: float) -> None:
        while self._marks and now - self._marks[0][0] > _WINDOW_SECONDS:
            self._marks.popleft()


class Statistics:
    """Counted since the supervisor started; the names are those of `status --json`."""

    def __init__(self) -> None:
        self.claimed = 0
        self.dispatched = 0
        self.processed = 0
        self.succeeded = 0
        self.failed = 0
        self.retried = 0
        self.timed_out = 0
        self.crashed = 0
        self.quarantined = 0
        self.stale_results = 0
        self.duplicate_completions = 0
        self.domain_events = 0
        self.worker_failures: Counter[int] = Counter()
        self.queue = Samples()
        self.run = Samples()
        self.commit = Samples()
        self.steps = Rate()
        self.tasks = Rate()

    def committed(self, steps: int, finished: Finished, seconds: float) -> None:
        """A batch was committed, and led to this."""
        self.commit.add(seconds * 1000)
        self.steps.add(steps)
        self.tasks.add(len(finished.ended))
        self.stale_results += len(finished.stale)

    def counters(self) -> dict[str, int]:
        return {name: value for name, value in vars(self).items() if isinstance(value, int)}

    def latencies(self) -> dict[str, float | None]:
        return dict(self._latencies())

    def _latencies(self) -> Iterator[tuple[str, float | None]]:
        for name in ("queue", "run", "commit"):
            samples: Samples = getattr(self, name)
            for percent in (50, 99):
                value = samples.percentile(percent)
                yield f"{name}_p{percent}", None if value is None else round(value, 3)
