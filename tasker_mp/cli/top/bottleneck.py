"""Which stage of the pipeline the others wait for."""

from typing import NamedTuple

from tasker_mp.observation import Observation

_QUIET = 1.0
"""With fewer steps than that before a stage, on average, nothing waits for it."""
_WAITING_STAGES = ("ring", "collect", "commit")


class Bottleneck(NamedTuple):
    """The stage, and how one can tell."""

    stage: str
    reason: str


def bottleneck(seen: Observation) -> Bottleneck | None:
    """None where nothing waits for anything: idle, paused, or fast enough.

    By Little's law a stage holds its rate times its mean duration; a step in a ring waits for the
    handlers, one in `collect` for the supervisor, one in `commit` for the database.
    """
    snapshot = seen.snapshot
    if snapshot.state == "paused":
        return None
    if not snapshot.database.connected:
        return Bottleneck("commit", "the database is away")
    held = {stage: _held(seen, stage) for stage in _WAITING_STAGES}
    stage = max(held, key=lambda name: held[name])
    if held[stage] < _QUIET:
        return _claim(seen)
    match stage:
        case "ring":
            busy = sum(worker.state == "busy" for worker in snapshot.workers)
            why = (
                f"{held[stage]:,.0f} steps in rings, {busy} of {len(snapshot.workers)} workers busy"
            )
            return Bottleneck("run", why)
        case "collect":
            return Bottleneck(stage, f"{held[stage]:,.0f} results wait for the supervisor")
        case _:
            return Bottleneck(stage, f"{held[stage]:,.0f} results wait for the database")


def _held(seen: Observation, stage: str) -> float:
    """How many steps are in it: on average where they pass, now where none does."""
    snapshot = seen.snapshot
    if stage not in snapshot.stages:
        return 0.0
    passing, depth = seen.rates.stages.get(stage, 0.0), snapshot.stages[stage].depth
    durations = seen.durations(stage)
    if not passing or not durations.count:
        return float(depth)
    return passing * durations.total / durations.count / 1e6


def _claim(seen: Observation) -> Bottleneck | None:
    """The claim, where work waits in the queues although there is room for it."""
    queued, snapshot = seen.queued or 0, seen.snapshot
    room = snapshot.max_in_flight - snapshot.in_flight
    idle = sum(worker.state == "idle" for worker in snapshot.workers)
    if queued < _QUIET or room <= 0 or not idle:
        return None
    return Bottleneck("claim", f"{queued:,} ready, {idle} of {len(snapshot.workers)} workers idle")
