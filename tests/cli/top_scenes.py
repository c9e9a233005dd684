"""Fixed snapshots of a supervisor, as `top` draws them: under load, idle, paused, in trouble."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

import msgspec

from tasker_mp.cli.top.choice import Choice
from tasker_mp.cli.top.history import History
from tasker_mp.cli.top.scene import Scene
from tasker_mp.histogram import Histogram
from tasker_mp.observation import Observation, WorkerView, rates
from tasker_mp.snapshot import (
    Baseline,
    DatabaseSnapshot,
    Durations,
    Event,
    Failure,
    NamespaceSnapshot,
    Snapshot,
    StageSnapshot,
    TableHealth,
    WorkerSnapshot,
)
from tasker_mp.usage import Usage

NOW = 1_767_225_600.0
"""2026-01-01 00:00 UTC."""
NOW_NS = 9_000_000_000_000
_SECOND = 1_000_000_000

TASKS = [str(UUID(int=0x0190_0000_0000_7000_8000_0000_0000_0000 + n)) for n in range(9)]

# Stage → (depth, steps of the last ten seconds, microseconds of most of them, of the slowest).
LOADED = {
    "claim": (64, 12_300, 1_200, 4_600),
    "ring": (812, 12_290, 650_000, 940_000),
    "run": (4, 12_290, 3_100, 31_000),
    "collect": (3, 12_288, 210, 900),
    "commit": (41, 12_280, 2_400, 11_000),
}
IDLE = dict.fromkeys(LOADED, (0, 0, 1_000, 1_000))
COMMITTING = LOADED | {"ring": (2, 9_000, 90, 300), "commit": (1_100, 9_000, 1_200_000, 2_100_000)}


def durations(number: int, usual: int, slowest: int) -> Durations:
    histogram = Histogram()
    if number:
        for _ in range(98):
            histogram.add(usual)
        histogram.add(slowest)
        histogram.add(slowest)
        histogram.counts = [count * number // 100 for count in histogram.counts]
        histogram.total = histogram.total * number // 100
    return Durations(histogram.trimmed(), histogram.total)


def workers(number: int) -> list[WorkerSnapshot]:
    rows = [
        WorkerSnapshot(
            index=index,
            state="busy",
            pid=4_000 + index,
            handler="handlers.order_fulfillment.process_payment.ProcessPaymentHandler",
            step=("process_payment", "tree_leaf_d", "dag_transform", "ship_order")[index % 4],
            task=TASKS[index % 9],
            busy_since_ns=NOW_NS - (7 * index + 1) % 30 * _SECOND,
            timeout_ms=30_000.0,
            processed=31_400 + 17 * index,
            failed=index % 2,
            request_ring_fill=0.42,
        )
        for index in range(number)
    ]
    if number > 3:
        rows[1] = msgspec.structs.replace(
            rows[1], restarts=2, last_exit="killed at its deadline (SIGKILL)"
        )
        rows[2] = WorkerSnapshot(index=2, state="idle", pid=4_002, processed=30_000)
        rows[3] = WorkerSnapshot(
            index=3, state="dead", restarts=7, last_exit="crashed: signal SIGSEGV, 212 MB"
        )
    return rows


def failures() -> list[Failure]:
    kinds = [
        ("validate_order", "VALIDATION_ERROR", "even_number is 7, which is odd", 1, True, False),
        (
            "process_payment",
            "timeout",
            "the gateway did not answer in 30 s\x1b[2J\nnext",
            2,
            False,
            False,
        ),
        ("tree_leaf_d", "QUARANTINED", "crashed its worker 3 times: signal SIGSEGV", 3, True, True),
    ]
    return [
        Failure(NOW - 30 + n, TASKS[n], TASKS[n], "order_fulfillment", *kind[:3], *kind[3:])
        for n, kind in enumerate(kinds)
    ]


def events() -> list[Event]:
    return [
        Event(NOW - 60, "info", "ready: 2 namespaces, 27 handlers"),
        Event(NOW - 20, "warning", "worker 1 killed at its deadline; a new one serves"),
        Event(NOW - 5, "error", "worker 3 crashed: signal SIGSEGV — step tree_leaf_d quarantined"),
    ]


NAMESPACES = (
    ("order_fulfillment", 12_345, 3_200.0, 41_000, 12),
    ("tree_workflow", 17, 80.0, 22_000, 0),
    ("a_namespace_of_29_characters_", 0, None, 0, 0),
)


def snapshot(stages: dict[str, tuple[int, int, int, int]] = LOADED, **changes: Any) -> Snapshot:
    now = {
        name: StageSnapshot(50_000 + number, depth, durations(number, usual, slowest))
        for name, (depth, number, usual, slowest) in stages.items()
    }
    was = {name: StageSnapshot(50_000) for name in stages}
    processed = stages["commit"][1]
    stats = {
        "claimed": 62_000,
        "processed": 60_000,
        "succeeded": 59_900,
        "failed": 12,
        "retried": 88,
    }
    values: dict[str, Any] = {
        "pid": 3_999,
        "start_ticks": 77,
        "written_at": NOW,
        "written_ns": NOW_NS,
        "worker_id": "example-host-1a2b",
        "environment": "production",
        "version": "0.1.0",
        "started_at": NOW - 11_520,
        "state": "running",
        "mode": "hybrid",
        "web_address": None,
        "handlers": 27,
        "listening": True,
        "in_flight": sum(stage.depth for stage in now.values()),
        "max_in_flight": 2_000,
        "lag": durations(100, 300, 2_000),
        "starvation": None,
        "database": DatabaseSnapshot(
            connected=True,
            pool_size=5,
            pool_idle=3,
            tables=TableHealth(210_000, 31_000, 2.4, 512 << 20),
        ),
        "stats": stats,
        "tasks_ended": 15_000,
        "stages": now,
        "workers": workers(4),
        "namespaces": [NamespaceSnapshot(*row) for row in NAMESPACES],
        "outcomes": [],
        "failures": failures(),
        "events": events(),
        "before": Baseline(
            written_ns=NOW_NS - 10 * _SECOND,
            stats={name: max(count - processed, 0) for name, count in stats.items()},
            tasks_ended=15_000 - processed // 4,
            stages=was,
            namespaces={"order_fulfillment": 41_000 - processed, "tree_workflow": 22_000},
        ),
    }
    return Snapshot(**(values | changes))


def observation(seen: Snapshot, age: float = 0.1) -> Observation:
    """As `observe` makes it, without looking at the machine's processes."""
    views = [
        WorkerView(
            worker,
            rss_bytes=(80 + worker.index) << 20 if worker.pid else None,
            cpu_percent=93.0 if worker.state == "busy" else 0.0 if worker.pid else None,
            cpu_seconds=12.0,
            busy_ms=(NOW_NS - worker.busy_since_ns) / 1e6 if worker.busy_since_ns else None,
        )
        for worker in seen.workers
    ]
    usage = Usage(64 << 20, 31.0, 99.0)
    return Observation(seen, age, rates(seen), views, usage, usage, Usage())


def history(seen: Snapshot, peak: int = 1_400) -> History:
    """Two minutes in which throughput fell and rose twice, and latency with it."""
    found = History()
    committed = microseconds = 0
    for half_seconds in range(240):
        share = abs(half_seconds % 120 - 60) / 60
        steps = round(peak * share / 2)
        committed += steps
        microseconds += round(steps * (4_000 + 20_000 * share))
        stages = {
            "ring": StageSnapshot(0, 0, Durations([], microseconds)),
            "commit": StageSnapshot(committed, 0, Durations()),
        }
        at = seen.written_ns - (239 - half_seconds) * _SECOND // 2
        found.add(msgspec.structs.replace(seen, written_ns=at, stages=stages))
    return found


def scene(seen: Snapshot, *, age: float = 0.1, peak: int = 1_400, **choices: Any) -> Scene:
    """As `top` would show that snapshot; `choices` are what the operator chose."""
    return Scene(seen=observation(seen, age), history=history(seen, peak), choice=Choice(**choices))


def away() -> DatabaseSnapshot:
    """A database that went twelve seconds ago."""
    return DatabaseSnapshot(
        connected=False,
        pool_size=5,
        pool_idle=0,
        trouble="connection to server on socket failed: Connection refused",
        trouble_since_ns=NOW_NS - 12 * _SECOND,
    )


def unasked() -> list[NamespaceSnapshot]:
    """The namespaces, while the database cannot be asked for their queues."""
    return [NamespaceSnapshot(row[0], None, None, *row[3:]) for row in NAMESPACES]


def idle_workers(number: int) -> list[WorkerSnapshot]:
    return [WorkerSnapshot(n, "idle", pid=4_000 + n, processed=31_400) for n in range(number)]


SCENES: dict[str, Callable[[], Scene]] = {
    "load": lambda: scene(snapshot()),
    "commits": lambda: scene(snapshot(COMMITTING, workers=workers(16))),
    "idle": lambda: scene(
        snapshot(IDLE, workers=idle_workers(4), failures=[], events=[], namespaces=[]), peak=0
    ),
    "paused": lambda: scene(snapshot(IDLE, state="paused", workers=idle_workers(4))),
    "dead-database": lambda: scene(
        snapshot(IDLE, database=away(), namespaces=unasked(), starvation="the database is away")
    ),
    "silent": lambda: scene(snapshot(), age=7.0),
    "gone": lambda: replace(scene(snapshot()), gone_for=65.0),
    "nobody": Scene,
}
