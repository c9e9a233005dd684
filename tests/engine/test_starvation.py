"""Why nothing is begun though work is ready: one reason for each set of facts, or none."""

from typing import Any

import pytest

from tasker_mp.db.store import WaitingQueue
from tasker_mp.engine.starvation import Facts, WorkerFact, reason

OLD = WaitingQueue("worker_acts_queue", "acts", 12.0, served=True)
NEW = OLD._replace(seconds=1.0)
HIDDEN = OLD._replace(seconds=None)
FOREIGN = WaitingQueue("worker_other_queue", "other", 30.0, served=False)
IDLE = WorkerFact(0, "idle", None, 0.0, None)
SLOW = WorkerFact(1, "busy", "crunch", 8.0, None)
DEAD = WorkerFact(0, "dead", None, 0.0, "killed by SIGKILL")
_CALM = Facts(
    state="running",
    mode="hybrid",
    quiet=60.0,
    unclaimable=None,
    trouble=None,
    waiting=[OLD],
    namespaces=["acts"],
    unsent=0.0,
    held=0,
    uncommitted=0,
    max_in_flight=100,
    workers=[IDLE, SLOW],
)


def told(**facts: Any) -> str | None:
    found = reason(_CALM._replace(**facts))
    return found and found.sentence


@pytest.mark.parametrize(
    "facts",
    [
        {"waiting": []},
        {"waiting": None},
        {"waiting": [NEW]},
        {"quiet": 4.0},
        {"quiet": 4.0, "trouble": (60.0, "a lane has lost its connection, claims go on")},
        {"trouble": (1.0, "just now"), "waiting": []},
        {"waiting": [], "state": "paused"},
        {"waiting": [], "workers": [DEAD]},
        {"waiting": [FOREIGN._replace(served=True)]},
        {"waiting": [FOREIGN._replace(seconds=1.0)]},
        {"waiting": [HIDDEN._replace(namespace="other")]},
    ],
)
def test_no_reason_where_nothing_is_ready_or_all_is_well(facts: dict[str, Any]) -> None:
    assert told(**facts) is None


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"unclaimable": (6.0, "timeout\n expired"), "quiet": 0.0}, "for 6 s: timeout expired"),
        (
            {"trouble": (6.0, "refused"), "waiting": None},
            "the database has failed for 6 s: refused",
        ),
        (
            {"state": "paused"},
            "paused: go on with: tasker-mp resume; the oldest step in worker_acts",
        ),
        ({"state": "draining"}, "this supervisor is draining"),
        ({"workers": [DEAD]}, "no worker is ready: 0 is dead (killed by SIGKILL)"),
        ({"workers": [DEAD._replace(state="starting")]}, "no worker is ready: 0 is starting"),
        ({"workers": [SLOW, SLOW]}, "all 2 workers are held by slow steps: crunch for 8 s"),
        ({"workers": [DEAD, SLOW]}, "the only worker is held by slow steps: crunch for 8 s"),
        ({"workers": [SLOW], "waiting": [], "unsent": 7.0}, "a claimed step has waited for 7 s"),
        ({"held": 90}, "90 steps are in flight, of max_in_flight = 100"),
        ({"held": 90, "uncommitted": 80}, "80 of them wait for their commit"),
        ({}, "no reason is known (mode hybrid)"),
        ({"waiting": [FOREIGN]}, "no running supervisor serves the namespace other"),
        ({"waiting": [HIDDEN]}, "every message in worker_acts_queue is invisible"),
    ],
)
def test_the_reason_is_derived_from_the_facts(facts: dict[str, Any], words: str) -> None:
    assert words in (told(**facts) or "")


def test_own_work_is_told_before_that_of_others() -> None:
    assert "paused" in (told(state="paused", waiting=[FOREIGN, OLD]) or "")


def test_the_kind_does_not_change_with_the_figures() -> None:
    kinds = {reason(_CALM._replace(state="paused", quiet=q)) for q in (6.0, 7.0)}
    assert {found and found.kind for found in kinds} == {"paused"}
