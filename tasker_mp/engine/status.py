"""What `tasker-mp status` tells about a running supervisor."""

import asyncio
import os
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import psutil

from tasker_mp.engine.worker_process import WorkerProcess

if TYPE_CHECKING:
    from tasker_mp.engine.supervisor import Supervisor

_DEPTH_LIMIT = 1.0
"""Seconds that a status waits for a database in trouble."""


async def status(supervisor: "Supervisor") -> dict[str, Any]:
    """The document of `status --json`; durations in the units of their names."""
    pending, oldest_ms = await _queues(supervisor)
    stats = supervisor.pipeline.statistics
    starvation = supervisor.starvation.reason
    return {
        "running": True,
        "environment": supervisor.config.environment,
        "worker_id": supervisor.worker_id,
        "pid": os.getpid(),
        "started_at": datetime.fromtimestamp(supervisor.started_at, UTC).isoformat(),
        "uptime_seconds": round(time.time() - supervisor.started_at, 3),
        "worker_core_status": supervisor.state,
        "deployment_mode": supervisor.config.worker.mode,
        "web_api_enabled": supervisor.config.web.enabled,
        "supported_namespaces": supervisor.namespaces,
        "database_pool_size": len(supervisor.sessions) + 1,
        "database_pool_idle": sum(not session.busy for session in supervisor.sessions),
        "database_connected": all(session.connected for session in supervisor.sessions),
        "event_bridge_active": True,
        "subscriber_active": supervisor.announcements.listening,
        "handler_registry_size": supervisor.fleet.registered_handlers,
        "in_flight": supervisor.pipeline.inflight.held,
        "pending_count": pending,
        "oldest_pending_age_ms": oldest_ms,
        "starvation_detected": starvation is not None,
        "starvation_reason": starvation and starvation.sentence,
        "stats": stats.counters(),
        "rates": {
            "steps_per_second": round(stats.steps.per_second(), 1),
            "tasks_per_second": round(stats.tasks.per_second(), 1),
        },
        "latency_ms": stats.latencies(),
        "workers": [_worker(supervisor, index) for index in range(supervisor.fleet.count)],
    }


async def _queues(supervisor: "Supervisor") -> tuple[int | None, int | None]:
    """Messages waiting and the oldest one's age; unknown while the database is away."""
    session = supervisor.housekeeping
    if session.trouble is not None or not session.connected:
        return None, None
    queues = supervisor.pipeline.queues.all
    asked = asyncio.create_task(session.run(lambda s: s.queue_depth(queues)))
    done, _ = await asyncio.wait((asked,), timeout=_DEPTH_LIMIT)
    if done:
        return asked.result()
    asked.cancel()  # and not waited for, either
    return None, None


def _worker(supervisor: "Supervisor", index: int) -> dict[str, Any]:
    worker = supervisor.fleet.workers.get(index)
    row: dict[str, Any] = {
        "index": index,
        "pid": worker.pid if worker else None,
        "state": worker_state(worker),
        "handler": None,
        "step": None,
        "busy_ms": None,
        "timeout_ms": None,
        "processed": worker.processed if worker else 0,
        "failed": supervisor.pipeline.statistics.worker_failures[index],
        "restarts": supervisor.fleet.restarts.get(index, 0),
        "last_exit": supervisor.fleet.last_exits.get(index),
        "request_ring_fill": worker.request_fill if worker else 0.0,
        "result_ring_fill": 0.0,
        "rss_bytes": None,
        "cpu_percent": None,
    }
    if worker is not None:
        row |= _running(supervisor, worker) | _resources(worker)
    return row


def worker_state(worker: WorkerProcess | None) -> str:
    if worker is None:
        return "dead"
    if not worker.page.ready:
        return "starting"
    return "busy" if worker.page.busy_since_ns else "idle"


def _running(supervisor: "Supervisor", worker: WorkerProcess) -> dict[str, Any]:
    entry, since = worker.running(), worker.page.busy_since_ns
    if entry is None or not since:
        return {}
    timeout = entry.step.timeout_seconds or supervisor.config.steps.timeout
    return {
        "handler": entry.step.handler.callable,
        "step": entry.name,
        "busy_ms": round((time.monotonic_ns() - since) / 1e6, 3),
        "timeout_ms": timeout * 1000,
    }


def _resources(worker: WorkerProcess) -> dict[str, Any]:
    try:
        usage = worker.usage
        return {"rss_bytes": usage.memory_info().rss, "cpu_percent": usage.cpu_percent()}
    except psutil.Error:
        return {}
