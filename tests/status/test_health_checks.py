"""Which findings degrade a supervisor's health, and which fail it."""

from typing import Any

import pytest
from snapshots import NOW, SECOND, durations, seen, stages

from tasker_mp.health import Health, judge
from tasker_mp.snapshot import DatabaseSnapshot, StageSnapshot, WorkerSnapshot


def database(**changes: Any) -> DatabaseSnapshot:
    return DatabaseSnapshot(**({"connected": True, "pool_size": 5, "pool_idle": 4} | changes))


def workers(*states: str, **fields: Any) -> list[WorkerSnapshot]:
    return [WorkerSnapshot(i, state, **fields) for i, state in enumerate(states)]


def test_a_well_one() -> None:
    health = judge(seen())
    assert (health.status, health.live, health.ready) == ("ok", True, True)
    assert set(health.checks) == {"database", "supervisor", "workers", "claims", "rings"}


def test_none_at_all() -> None:
    health = judge(None)
    assert (health.status, health.live, health.ready) == ("failed", False, False)


def trouble(seconds: float) -> DatabaseSnapshot:
    return database(trouble="gone", trouble_since_ns=NOW - int(seconds * SECOND))


CASES: dict[str, tuple[dict[str, Any], str, str, bool]] = {
    # what is seen: (check, its status, ready)
    "hiccup": ({"database": trouble(1)}, "database", "degraded", True),
    "away": ({"database": trouble(6)}, "database", "failed", False),
    "opening": ({"database": database(connected=False)}, "database", "degraded", True),
    "lease": ({"database": database(heartbeat_ns=NOW - 31 * SECOND)}, "database", "failed", False),
    "lag": ({"lag": durations(*[600_000] * 9)}, "supervisor", "degraded", True),
    "late": ({"now_ns": NOW + 3 * SECOND}, "supervisor", "degraded", True),
    "hangs": ({"now_ns": NOW + 11 * SECOND}, "supervisor", "failed", False),
    "some": ({"workers": workers("busy", "dead")}, "workers", "degraded", True),
    "nobody": ({"workers": workers("starting", "dead")}, "workers", "failed", False),
    "starved": ({"starvation": "all are slow"}, "claims", "degraded", True),
    "paused": ({"state": "paused"}, "claims", "degraded", False),
    "unread": ({"workers": workers("busy", result_ring_fill=0.96)}, "rings", "degraded", True),
    "uncommitted": (
        {"stages": stages(1) | {"commit": StageSnapshot(1, 96)}}, "rings", "degraded", True,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_finding(name: str) -> None:
    changes, check, status, ready = CASES[name]
    health = judge(seen(**changes))
    assert {n: c.status for n, c in health.checks.items() if c.status != "ok"} == {check: status}
    assert (health.status, health.ready) == (status, ready)
    assert health.live == (name != "hangs")


def test_messages_have_the_figures() -> None:
    def said(check: str, **changes: Any) -> str:
        health: Health = judge(seen(**changes))
        return health.checks[check].message

    assert said("database", database=trouble(6)) == "it has failed for 6.0 s: gone"
    assert "1 of 2 serve" in said("workers", workers=workers("busy", "dead"))
    assert "all are slow" in said("claims", starvation="all are slow")
