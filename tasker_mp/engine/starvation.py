"""Decides whether work is ready while nothing is begun, and says why: facts in, a reason out."""

from collections.abc import Sequence
from typing import NamedTuple

from tasker_mp.db.store import WaitingQueue

PATIENCE = 5.0
"""Seconds in which nothing was begun, and for which something waits."""

_SLOW_SECONDS = 1.0
_NAMED = 3


class WorkerFact(NamedTuple):
    """`state` as in `status`; `step` and `seconds` of what it runs."""

    number: int
    state: str
    step: str | None
    seconds: float
    last_exit: str | None


class Facts(NamedTuple):
    """Everything that the decision rests on; durations in seconds.

    `quiet`: since a step was last claimed, sent to a worker or finished. `unclaimable`: for how
    long the database has refused to claim, and what it said last; `trouble`: the same of any
    session. `waiting`: the queues as the database has them, None where it was not asked. `unsent`:
    how long the oldest claimed step has waited for a worker. `held`: claimed steps, of which
    `uncommitted` have a result already.
    """

    state: str
    mode: str
    quiet: float
    unclaimable: tuple[float, str] | None
    trouble: tuple[float, str] | None
    waiting: Sequence[WaitingQueue] | None
    namespaces: Sequence[str]
    unsent: float
    held: int
    uncommitted: int
    max_in_flight: int
    workers: Sequence[WorkerFact]


class Reason(NamedTuple):
    """`kind` stays the same over an episode; `sentence` has the figures."""

    kind: str
    sentence: str


def reason(facts: Facts) -> Reason | None:
    """Why nothing is begun though work is ready; None where all is well or nothing is ready."""
    if away := _away(facts):
        return away
    if facts.quiet < PATIENCE:
        return None
    if ready := _ready(facts):
        why = _ours(facts)
        return Reason(why.kind, f"{why.sentence}; {ready}")
    return _not_ours(facts)


def _away(facts: Facts) -> Reason | None:
    """The database, where it is to blame: nobody knows then whether work is ready."""
    trouble = facts.trouble if facts.quiet >= PATIENCE else facts.unclaimable
    if trouble is None or trouble[0] < PATIENCE:
        return None
    seconds, error = trouble
    return Reason("database", f"the database has failed for {seconds:.0f} s: {_line(error)}")


def _ready(facts: Facts) -> str:
    """What waits for this supervisor, in words; empty where nothing does."""
    ages = [
        (queue.seconds, queue.queue)
        for queue in facts.waiting or ()
        if queue.seconds is not None and queue.namespace in facts.namespaces
    ]
    oldest, name = max(ages, default=(0.0, ""))
    if oldest >= PATIENCE:
        return f"the oldest step in {name} has waited for {oldest:.0f} s"
    if facts.unsent >= PATIENCE:
        return f"a claimed step has waited for {facts.unsent:.0f} s"
    return ""


def _ours(facts: Facts) -> Reason:
    """Why this supervisor does not begin it."""
    if facts.state == "paused":
        return Reason("paused", "paused: go on with: tasker-mp resume")
    if facts.state != "running":
        return Reason(facts.state, f"this supervisor is {facts.state}")
    serving = [w for w in facts.workers if w.state in ("idle", "busy")]
    if not serving:
        return Reason("workers", f"no worker is ready: {_states(facts.workers)}")
    if all(w.state == "busy" and w.seconds >= _SLOW_SECONDS for w in serving):
        return Reason("slow", f"{_all_of(len(serving))} held by slow steps: {_slowest(serving)}")
    if facts.held > facts.max_in_flight * 3 // 4:
        sentence = f"{facts.held} steps are in flight, of max_in_flight = {facts.max_in_flight}"
        if facts.uncommitted:
            sentence += f", and {facts.uncommitted} of them wait for their commit"
        return Reason("full", sentence)
    return Reason("unknown", f"no reason is known (mode {facts.mode})")


def _not_ours(facts: Facts) -> Reason | None:
    """What nobody can begin."""
    waiting = facts.waiting or ()
    old = [q for q in waiting if q.seconds is not None and q.seconds >= PATIENCE and not q.served]
    if old:
        names = ", ".join(sorted({queue.namespace for queue in old}))
        return Reason("unserved", f"no running supervisor serves the namespace {names}")
    hidden = [q.queue for q in waiting if q.seconds is None and q.namespace in facts.namespaces]
    if hidden:
        sentence = f"every message in {', '.join(hidden)} is invisible: somebody else has read it"
        return Reason("invisible", sentence)
    return None


def _states(workers: Sequence[WorkerFact]) -> str:
    return ", ".join(
        f"{w.number} is {w.state}" + (f" ({w.last_exit})" if w.last_exit else "")
        for w in workers[:_NAMED]
    )


def _all_of(count: int) -> str:
    return "the only worker is" if count == 1 else f"all {count} workers are"


def _slowest(workers: Sequence[WorkerFact]) -> str:
    longest = sorted(workers, key=lambda w: -w.seconds)[:_NAMED]
    return ", ".join(f"{w.step or 'one'} for {w.seconds:.0f} s" for w in longest)


def _line(error: str) -> str:
    return " ".join(error.split())
