"""Judges what is observed of a supervisor: five checks, each ok, degraded or failed."""

from typing import Final, Literal

from msgspec import Struct

from tasker_mp.observation import Observation

Status = Literal["ok", "degraded", "failed"]

HANGS_SECONDS: Final = 10.0
"""The page is so old: the loop does not turn any more."""
LATE_SECONDS: Final = 2.0
LAG_SECONDS: Final = 0.5
"""The 99th percentile of the loop's lag over ten seconds."""
TROUBLE_SECONDS: Final = 5.0
"""The database may fail for so long before it counts as away."""
SATURATED: Final = 0.95
"""The part of a worker's allowance whose results nobody has read, or of max_in_flight that waits
for its commit."""

_ORDER: Final[tuple[Status, ...]] = ("ok", "degraded", "failed")


class Check(Struct, frozen=True):
    """`message` says what was found, with the figures."""

    status: Status
    message: str


class Health(Struct, frozen=True):
    """`status` is that of the worst check; `ready`: whether it begins work that comes now."""

    status: Status
    live: bool
    ready: bool
    checks: dict[str, Check]


def judge(seen: Observation | None) -> Health:
    """`seen` is None where no supervisor runs."""
    if seen is None:
        check = Check("failed", "no supervisor is running")
        return Health("failed", live=False, ready=False, checks={"supervisor": check})
    checks = {
        "database": _database(seen),
        "supervisor": _loop(seen),
        "workers": _workers(seen),
        "claims": _claims(seen),
        "rings": _rings(seen),
    }
    return Health(
        status=max((check.status for check in checks.values()), key=_ORDER.index),
        live=seen.age < HANGS_SECONDS,
        ready=seen.snapshot.state == "running"
        and all(checks[name].status != "failed" for name in ("database", "supervisor", "workers")),
        checks=checks,
    )


def _database(seen: Observation) -> Check:
    snapshot, database = seen.snapshot, seen.snapshot.database
    now_ns = snapshot.written_ns + int(seen.age * 1e9)
    if database.trouble is not None:
        seconds = (now_ns - database.trouble_since_ns) / 1e9
        status: Status = "failed" if seconds >= TROUBLE_SECONDS else "degraded"
        return Check(status, f"it has failed for {seconds:.1f} s: {database.trouble}")
    if not database.connected:
        return Check("degraded", "not all connections are open")
    lease_age = (now_ns - database.heartbeat_ns) / 1e9 if database.heartbeat_ns else 0.0
    if lease_age >= snapshot.lease:
        return Check(
            "failed", f"the lease of {snapshot.lease:g} s was last renewed {lease_age:.0f} s ago"
        )
    return Check("ok", f"connected, {database.pool_idle} of {database.pool_size} connections idle")


def _loop(seen: Observation) -> Check:
    if seen.age >= LATE_SECONDS:
        status: Status = "failed" if seen.age >= HANGS_SECONDS else "degraded"
        return Check(status, f"the loop has not turned for {seen.age:.1f} s")
    _, p99 = seen.percentiles("lag")
    lag = (p99 or 0.0) / 1000
    return Check("degraded" if lag >= LAG_SECONDS else "ok", f"loop lag p99 {lag * 1000:.1f} ms")


def _workers(seen: Observation) -> Check:
    workers = [view.worker for view in seen.workers]
    serving = sum(worker.state in ("idle", "busy") for worker in workers)
    message = f"{serving} of {len(workers)} serve"
    if not serving:
        return Check("failed", message)
    return Check("ok" if serving == len(workers) else "degraded", message)


def _claims(seen: Observation) -> Check:
    snapshot = seen.snapshot
    if snapshot.starvation is not None:
        return Check("degraded", f"work is ready, nothing is begun: {snapshot.starvation}")
    if snapshot.state != "running":
        return Check("degraded", f"nothing is claimed: the supervisor is {snapshot.state}")
    return Check("ok", f"{seen.rates.stages.get('claim', 0.0):.1f} steps/s")


def _rings(seen: Observation) -> Check:
    """Full rings are ordinary backpressure; full ones whose results nobody reads are not."""
    snapshot = seen.snapshot
    fills = [view.worker.result_ring_fill for view in seen.workers]
    fullest = max(fills, default=0.0)
    waiting = snapshot.stages["commit"].depth if "commit" in snapshot.stages else 0
    uncommitted = waiting / snapshot.max_in_flight
    message = f"results fill {fullest:.0%} of the fullest ring, {waiting} wait for their commit"
    saturated = fullest >= SATURATED or uncommitted >= SATURATED
    return Check("degraded" if saturated else "ok", message)
