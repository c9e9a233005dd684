"""Gathers what a supervisor tells about itself."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from tasker_mp import __version__
from tasker_mp.engine.statistics import durations
from tasker_mp.engine.worker_process import WorkerProcess
from tasker_mp.snapshot import (
    DatabaseSnapshot,
    Event,
    NamespaceSnapshot,
    OutcomeCount,
    Snapshot,
    TableHealth,
    WorkerSnapshot,
)

if TYPE_CHECKING:
    from tasker_mp.engine.supervisor import Supervisor

_WORKERS_SHOWN = 1000
"""A page has room for so many."""


def take_snapshot(supervisor: "Supervisor", start_ticks: int, events: Sequence[Event]) -> Snapshot:
    """As it is now; costs no question to anybody."""
    config, pipeline, fleet = supervisor.config, supervisor.pipeline, supervisor.fleet
    stats, starvation = pipeline.statistics, supervisor.starvation.reason
    workers = list(fleet.workers.values())
    outcomes = stats.outcomes()
    namespaces = _namespaces(supervisor, outcomes)
    return Snapshot(
        pid=supervisor.pid,
        start_ticks=start_ticks,
        written_at=round(time.time(), 3),
        written_ns=time.monotonic_ns(),
        worker_id=supervisor.worker_id,
        environment=config.environment,
        version=__version__,
        started_at=supervisor.started_at,
        state=supervisor.state,
        mode=config.worker.mode,
        web_address=supervisor.web.address if supervisor.web else None,
        handlers=fleet.registered_handlers,
        listening=supervisor.announcements.listening,
        in_flight=pipeline.inflight.held,
        max_in_flight=config.worker.max_in_flight,
        lag=durations(fleet.lag),
        starvation=starvation and starvation.sentence,
        database=_database(supervisor),
        stats=stats.counters(),
        tasks_ended=stats.tasks_ended,
        stages=stats.stage_snapshots(_depths(supervisor, workers, namespaces)),
        workers=[_worker(supervisor, i) for i in range(min(fleet.count, _WORKERS_SHOWN))],
        namespaces=namespaces,
        outcomes=outcomes,
        failures=list(stats.failures),
        events=list(events),
        zygote_pid=fleet.zygote_pid,
        web_pid=supervisor.web.pid if supervisor.web else None,
        lease=config.steps.lease,
    )


def worker_state(worker: WorkerProcess | None) -> str:
    if worker is None:
        return "dead"
    if not worker.page.ready:
        return "starting"
    return "busy" if worker.page.busy_since_ns else "idle"


def _depths(
    supervisor: "Supervisor",
    workers: Sequence[WorkerProcess],
    namespaces: Sequence[NamespaceSnapshot],
) -> dict[str, int]:
    inflight = supervisor.pipeline.inflight
    running = sum(worker.run_count for worker in workers)
    ended = sum(worker.ended for worker in workers)
    return {
        "claim": sum(namespace.queued or 0 for namespace in namespaces),
        "ring": max(0, len(inflight) - running - ended),
        "run": running,
        "collect": ended,
        "commit": inflight.held - len(inflight),
    }


def _namespaces(
    supervisor: "Supervisor", outcomes: Sequence[OutcomeCount]
) -> list[NamespaceSnapshot]:
    """Those that are served: no others' steps come here."""
    depths = supervisor.census.depths if supervisor.database_answers else None
    found = {name: NamespaceSnapshot(name) for name in supervisor.namespaces}
    for outcome in outcomes:
        if namespace := found.get(outcome.namespace):
            namespace.finished += outcome.count
            namespace.failed += outcome.count if outcome.outcome != "succeeded" else 0
    for name, depth in (depths or {}).items():
        found[name].queued, found[name].oldest_ms = depth.queued, depth.oldest_ms
    return list(found.values())


def _database(supervisor: "Supervisor") -> DatabaseSnapshot:
    sessions, tables = supervisor.sessions, supervisor.census.tables
    troubles = [session.trouble for session in sessions if session.trouble is not None]
    worst = min(troubles, default=None)
    return DatabaseSnapshot(
        connected=all(session.connected for session in sessions),
        pool_size=len(sessions) + 1,
        pool_idle=sum(not session.busy for session in sessions),
        trouble=worst and " ".join(worst.error.split()),
        trouble_since_ns=int(worst.since * 1e9) if worst else 0,
        heartbeat_ns=supervisor.heartbeat_ns,
        tables=tables and TableHealth(*tables),
    )


def _worker(supervisor: "Supervisor", index: int) -> WorkerSnapshot:
    fleet = supervisor.fleet
    worker = fleet.workers.get(index)
    row = WorkerSnapshot(
        index,
        worker_state(worker),
        failed=supervisor.pipeline.statistics.worker_failures[index],
        restarts=fleet.restarts.get(index, 0),
        last_exit=fleet.last_exits.get(index),
    )
    if worker is not None:
        row.pid = worker.pid
        row.processed = worker.processed
        row.request_ring_fill = round(worker.request_fill, 3)
        row.result_ring_fill = round(worker.result_fill, 3)
        _add_running(row, worker, supervisor.config.steps.timeout)
    return row


def _add_running(row: WorkerSnapshot, worker: WorkerProcess, timeout: float) -> None:
    entry, since = worker.longest(), worker.page.busy_since_ns
    row.running = worker.run_count
    if entry is not None and since:
        row.handler, row.step = entry.step.handler.callable, entry.name
        row.task = str(UUID(bytes=entry.task))
        row.busy_since_ns = since
        row.timeout_ms = (entry.step.timeout_seconds or timeout) * 1000
