"""A snapshot seen by a reader: with rates, percentiles, and what its processes use by now."""

import time
from collections.abc import Mapping

from msgspec import Struct

from tasker_mp.histogram import Histogram
from tasker_mp.snapshot import Baseline, Durations, Snapshot, StageSnapshot, WorkerSnapshot
from tasker_mp.usage import Usage, UsageMeter

_SHORTEST = 1.0
"""Seconds: a burst right after the start is no rate."""


class WorkerView(Struct, frozen=True):
    """What the supervisor says of a worker and the reader finds; `busy_ms` is None while idle."""

    worker: WorkerSnapshot
    rss_bytes: int | None
    cpu_percent: float | None
    cpu_seconds: float | None
    busy_ms: float | None


class Rates(Struct, frozen=True):
    """Per second, over the last `seconds`: committed steps, ended tasks, each counter of `stats`,
    each stage's steps, each namespace's steps that ended."""

    seconds: float
    steps: float
    tasks: float
    stats: dict[str, float]
    stages: dict[str, float]
    namespaces: dict[str, float]


class Observation(Struct, frozen=True):
    """`age`: seconds since the supervisor wrote this, a fraction of one while it is well."""

    snapshot: Snapshot
    age: float
    rates: Rates
    workers: list[WorkerView]
    supervisor: Usage
    zygote: Usage
    web: Usage

    @property
    def uptime(self) -> float:
        """Seconds since the supervisor started."""
        return max(0.0, time.time() - self.snapshot.started_at)

    @property
    def queued(self) -> int | None:
        """Messages in all queues; None where the database was not asked."""
        depths = [n.queued for n in self.snapshot.namespaces if n.queued is not None]
        return sum(depths) if depths else None

    @property
    def oldest_queued_ms(self) -> float | None:
        return max((n.oldest_ms or 0.0 for n in self.snapshot.namespaces), default=None)

    def durations(self, stage: str) -> Histogram:
        """Of the last ten seconds, or since the start where nothing passed; "lag" is the loop's."""
        snapshot, before = self.snapshot, self.snapshot.before
        whole = _durations(snapshot.stages, snapshot.lag, stage).histogram()
        if before is None:
            return whole
        recent = whole.since(_durations(before.stages, before.lag, stage).histogram())
        return recent if recent.count else whole

    def percentiles(self, stage: str) -> tuple[float | None, float | None]:
        """(p50, p99) in milliseconds, None without durations; `stage` as for `durations`."""
        histogram = self.durations(stage)
        return histogram.percentile(50), histogram.percentile(99)


def observe(snapshot: Snapshot, meter: UsageMeter, now_ns: int) -> Observation:
    """The snapshot as it is at `now_ns`, CLOCK_MONOTONIC."""
    pids = {snapshot.pid, snapshot.zygote_pid, snapshot.web_pid}
    pids.update(worker.pid for worker in snapshot.workers)
    meter.forget_all_but({pid for pid in pids if pid})
    return Observation(
        snapshot=snapshot,
        age=max(0.0, (now_ns - snapshot.written_ns) / 1e9),
        rates=rates(snapshot),
        workers=[_worker(worker, meter, now_ns) for worker in snapshot.workers],
        supervisor=meter.look(snapshot.pid),
        zygote=meter.look(snapshot.zygote_pid),
        web=meter.look(snapshot.web_pid),
    )


def baseline(snapshot: Snapshot) -> Baseline:
    """A snapshot's counters, to be subtracted from those of a later one."""
    return Baseline(
        snapshot.written_ns,
        snapshot.stats,
        snapshot.tasks_ended,
        snapshot.stages,
        {namespace.name: namespace.finished for namespace in snapshot.namespaces},
        snapshot.lag,
    )


def rates(now: Snapshot, before: Baseline | None = None) -> Rates:
    """What happened per second since `before`, or since the snapshot's own baseline."""
    before = before or now.before or Baseline(now.written_ns, {}, 0, {}, {})
    after = baseline(now)
    passed = {name: stage.passed for name, stage in after.stages.items()}
    passed_before = {name: stage.passed for name, stage in before.stages.items()}
    seconds = max((after.written_ns - before.written_ns) / 1e9, _SHORTEST)
    stages = _per_second(passed, passed_before, seconds)
    return Rates(
        seconds=seconds,
        steps=stages.get("commit", 0.0),
        tasks=(after.tasks_ended - before.tasks_ended) / seconds,
        stats=_per_second(after.stats, before.stats, seconds),
        stages=stages,
        namespaces=_per_second(after.namespaces, before.namespaces, seconds),
    )


def _per_second(
    after: Mapping[str, int], before: Mapping[str, int], seconds: float
) -> dict[str, float]:
    return {name: (count - before.get(name, 0)) / seconds for name, count in after.items()}


def _durations(stages: Mapping[str, StageSnapshot], lag: Durations, stage: str) -> Durations:
    if stage == "lag":
        return lag
    return stages[stage].durations if stage in stages else Durations()


def _worker(worker: WorkerSnapshot, meter: UsageMeter, now_ns: int) -> WorkerView:
    usage = meter.look(worker.pid)
    since = worker.busy_since_ns
    busy = max(0.0, (now_ns - since) / 1e6) if since else None
    return WorkerView(worker, usage.rss_bytes, usage.cpu_percent, usage.cpu_seconds, busy)
