"""What a supervisor tells about itself, a few times a second, on its status page.

Only what the supervisor knows anyway; what a reader can find out itself (memory and CPU of a
process, how long a step has run by now) is left to the reader. Times: `_at` are seconds since the
epoch, `_ns` CLOCK_MONOTONIC. Counters count since the supervisor started. See docs/design.md.
"""

from typing import Literal

from msgspec import Struct

from tasker_mp.histogram import Histogram

STAGES = ("claim", "ring", "run", "collect", "commit")
"""claim: the database's answer; ring: claimed until entered; run: in the handler; collect: its end
until the supervisor has the result; commit: settled until committed."""

EVENTS_KEPT = 100
FAILURES_KEPT = 50

State = Literal["starting", "running", "paused", "draining", "stopped"]


class Durations(Struct, array_like=True, frozen=True):
    """A histogram: its buckets' counts without the zeros at the end, the sum in microseconds."""

    counts: list[int] = []
    total: int = 0

    def histogram(self) -> Histogram:
        return Histogram(self.counts, self.total)


class StageSnapshot(Struct):
    """`passed` steps have left the stage, `depth` are in it now; that of claim is what waits in the
    queues, as the database was last asked."""

    passed: int = 0
    depth: int = 0
    durations: Durations = Durations()


class WorkerSnapshot(Struct):
    """`state` is starting, idle, busy or dead; `busy_since_ns` is 0 while it runs nothing. Of
    `running` steps at once, it tells of the one that has run for longest."""

    index: int
    state: str
    pid: int | None = None
    handler: str | None = None
    step: str | None = None
    task: str | None = None
    busy_since_ns: int = 0
    timeout_ms: float | None = None
    processed: int = 0
    failed: int = 0
    restarts: int = 0
    last_exit: str | None = None
    request_ring_fill: float = 0.0
    result_ring_fill: float = 0.0
    running: int = 0


class NamespaceSnapshot(Struct):
    """`queued` messages, the oldest `oldest_ms` old; None where the database was not asked.

    `finished` attempts have ended, `failed` of them not well.
    """

    name: str
    queued: int | None = None
    oldest_ms: float | None = None
    finished: int = 0
    failed: int = 0


class OutcomeCount(Struct, array_like=True):
    """How many steps of a kind ended in this way. Kinds beyond a bound are counted as `other`."""

    namespace: str
    template: str
    step: str
    outcome: Literal["succeeded", "retried", "failed", "timed_out", "crashed"]
    count: int


class Failure(Struct):
    """A step that failed for good or for now, the newest last; `kind` is its error code or type."""

    at: float
    task: str
    step_uuid: str
    namespace: str
    step: str
    kind: str
    message: str
    attempt: int
    final: bool
    quarantined: bool = False


class Event(Struct):
    """A line of what happened to the supervisor, the newest last."""

    at: float
    level: str
    text: str


class TableHealth(Struct):
    """What the database says of tasker's own tables; the oldest transaction is anybody's."""

    live_tuples: int
    dead_tuples: int
    oldest_transaction_seconds: float
    bytes: int


class DatabaseSnapshot(Struct):
    """`trouble` is the latest error while nothing succeeds."""

    connected: bool
    pool_size: int
    pool_idle: int
    trouble: str | None = None
    trouble_since_ns: int = 0
    heartbeat_ns: int = 0
    tables: TableHealth | None = None


class Baseline(Struct):
    """The counters as they were some ten seconds ago, or at the start: what a reader subtracts."""

    written_ns: int
    stats: dict[str, int]
    tasks_ended: int
    stages: dict[str, StageSnapshot]
    namespaces: dict[str, int]
    """Steps that had ended, by namespace."""
    lag: Durations = Durations()


class Snapshot(Struct):
    """`start_ticks` is field 22 of /proc/<pid>/stat: with the pid it names one process for ever."""

    pid: int
    start_ticks: int
    written_at: float
    written_ns: int
    worker_id: str
    environment: str
    version: str
    started_at: float
    state: State
    mode: str
    web_address: str | None
    handlers: int
    listening: bool
    in_flight: int
    max_in_flight: int
    lag: Durations
    """How late the supervisor's loop woke up."""
    starvation: str | None
    database: DatabaseSnapshot
    stats: dict[str, int]
    tasks_ended: int
    stages: dict[str, StageSnapshot]
    workers: list[WorkerSnapshot]
    namespaces: list[NamespaceSnapshot]
    outcomes: list[OutcomeCount]
    failures: list[Failure]
    events: list[Event]
    before: Baseline | None = None
    zygote_pid: int | None = None
    web_pid: int | None = None
    lease: float = 30.0
    """Seconds after which another supervisor takes over where `database.heartbeat_ns` is older."""
