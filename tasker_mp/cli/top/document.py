"""What `top --json` writes at every refresh: the document of `status`, and what a frame adds."""

from typing import Any

from tasker_mp.cli.top.bottleneck import bottleneck
from tasker_mp.observation import Observation
from tasker_mp.snapshot import STAGES, StageSnapshot
from tasker_mp.status_document import status_document


def document(seen: Observation) -> dict[str, Any]:
    """Rates are per second over the last ten; times in the units of their names."""
    snapshot, found = seen.snapshot, bottleneck(seen)
    return status_document(seen) | {
        "written_at": snapshot.written_at,
        "pipeline": {stage: _stage(seen, stage) for stage in STAGES},
        "bottleneck": found and {"stage": found.stage, "reason": found.reason},
        "namespaces": [
            {
                "name": namespace.name,
                "queued": namespace.queued,
                "oldest_ms": namespace.oldest_ms,
                "finished": namespace.finished,
                "failed": namespace.failed,
                "steps_per_second": round(seen.rates.namespaces.get(namespace.name, 0.0), 1),
            }
            for namespace in snapshot.namespaces
        ],
        "failures": snapshot.failures,
        "events": snapshot.events,
        "database": snapshot.database,
    }


def _stage(seen: Observation, stage: str) -> dict[str, Any]:
    p50, p99 = seen.percentiles(stage)
    return {
        "steps_per_second": round(seen.rates.stages.get(stage, 0.0), 1),
        "depth": seen.snapshot.stages.get(stage, StageSnapshot()).depth,
        "p50_ms": p50,
        "p99_ms": p99,
    }
