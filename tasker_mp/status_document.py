"""The document of `status --json`; durations in the units of their names."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from tasker_mp.observation import Observation, WorkerView

_LATENCIES = {"queue": "ring", "run": "run", "commit": "commit"}


def status_document(seen: Observation) -> dict[str, Any]:
    """Names and shapes are fixed: users and tests rely on them."""
    snapshot, database = seen.snapshot, seen.snapshot.database
    return {
        "running": True,
        "environment": snapshot.environment,
        "worker_id": snapshot.worker_id,
        "pid": snapshot.pid,
        "started_at": datetime.fromtimestamp(snapshot.started_at, UTC).isoformat(),
        "uptime_seconds": round(seen.uptime, 3),
        "worker_core_status": snapshot.state,
        "deployment_mode": snapshot.mode,
        "web_api_enabled": snapshot.web_address is not None,
        "supported_namespaces": [namespace.name for namespace in snapshot.namespaces],
        "database_pool_size": database.pool_size,
        "database_pool_idle": database.pool_idle,
        "database_connected": database.connected,
        "event_bridge_active": True,
        "subscriber_active": snapshot.listening,
        "handler_registry_size": snapshot.handlers,
        "in_flight": snapshot.in_flight,
        "pending_count": seen.queued,
        "oldest_pending_age_ms": None if seen.queued is None else round(seen.oldest_queued_ms or 0),
        "starvation_detected": snapshot.starvation is not None,
        "starvation_reason": snapshot.starvation,
        "stats": snapshot.stats,
        "rates": {
            "steps_per_second": round(seen.rates.steps, 1),
            "tasks_per_second": round(seen.rates.tasks, 1),
        },
        "latency_ms": dict(_latencies(seen)),
        "workers": [_worker(view) for view in seen.workers],
    }


def _latencies(seen: Observation) -> Iterator[tuple[str, float | None]]:
    for name, stage in _LATENCIES.items():
        p50, p99 = seen.percentiles(stage)
        yield f"{name}_p50", p50
        yield f"{name}_p99", p99


def _worker(view: WorkerView) -> dict[str, Any]:
    worker = view.worker
    return {
        "index": worker.index,
        "pid": worker.pid,
        "state": worker.state,
        "handler": worker.handler,
        "step": worker.step,
        "busy_ms": None if view.busy_ms is None else round(view.busy_ms, 3),
        "timeout_ms": worker.timeout_ms,
        "processed": worker.processed,
        "failed": worker.failed,
        "restarts": worker.restarts,
        "last_exit": worker.last_exit,
        "request_ring_fill": worker.request_ring_fill,
        "result_ring_fill": worker.result_ring_fill,
        "rss_bytes": view.rss_bytes,
        "cpu_percent": view.cpu_percent,
    }
