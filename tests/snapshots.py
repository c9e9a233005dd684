"""Snapshots of a supervisor for tests of whoever reads them."""

import time
from typing import Any

from tasker_mp.histogram import Histogram
from tasker_mp.observation import Observation, observe
from tasker_mp.snapshot import (
    STAGES,
    DatabaseSnapshot,
    Durations,
    NamespaceSnapshot,
    OutcomeCount,
    Snapshot,
    StageSnapshot,
    TableHealth,
    WorkerSnapshot,
)
from tasker_mp.usage import UsageMeter

SECOND = 1_000_000_000
NOW = 1_000 * SECOND
STATS = ("claimed", "dispatched", "processed", "succeeded", "failed", "retried", "timed_out")
STATS += ("crashed", "quarantined", "stale_results", "duplicate_completions", "domain_events")


def durations(*microseconds: int) -> Durations:
    histogram = Histogram()
    histogram.add_all(microseconds)
    return Durations(histogram.trimmed(), histogram.total)


def stages(count: int, microseconds: int = 1000) -> dict[str, StageSnapshot]:
    return {n: StageSnapshot(count, 1, durations(*[microseconds] * count)) for n in STAGES}


def snapshot(**changes: Any) -> Snapshot:
    """A healthy one of a supervisor with two workers, written at `NOW`."""
    fields = {
        "pid": 4_000_000,  # above any that lives
        "start_ticks": 1,
        "written_at": time.time(),
        "written_ns": NOW,
        "worker_id": "host-1",
        "environment": "test",
        "version": "0.1.0",
        "started_at": time.time() - 100,
        "state": "running",
        "mode": "hybrid",
        "web_address": None,
        "handlers": 3,
        "listening": True,
        "in_flight": 5,
        "max_in_flight": 100,
        "lag": durations(500, 700),
        "starvation": None,
        "database": DatabaseSnapshot(
            True, 5, 4, heartbeat_ns=NOW - SECOND, tables=TableHealth(10, 3, 1.5, 8192)
        ),
        "stats": dict.fromkeys(STATS, 0) | {"claimed": 40},
        "tasks_ended": 20,
        "stages": stages(40),
        "workers": [
            WorkerSnapshot(0, "busy", 4_000_001, "handlers.A", "a", busy_since_ns=NOW - SECOND),
            WorkerSnapshot(1, "idle", 4_000_002, processed=7),
        ],
        "namespaces": [NamespaceSnapshot("shop", 3, 1500.0, 40, 2)],
        "outcomes": [OutcomeCount("shop", "order", "pay", "succeeded", 38)],
        "failures": [],
        "events": [],
        "lease": 30.0,
    }
    return Snapshot(**(fields | changes))


def seen(now_ns: int = NOW, **changes: Any) -> Observation:
    return observe(snapshot(**changes), UsageMeter(), now_ns)
