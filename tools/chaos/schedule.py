"""Which faults happen when: drawn from the seed alone, so that a run's schedule can be replayed."""

import random
from enum import StrEnum
from typing import NamedTuple

from msgspec import Struct


class Kind(StrEnum):
    """What is done to whom."""

    WORKER = "kill worker"
    SUPERVISOR = "kill supervisor"
    ZYGOTE = "kill zygote"
    POSTGRES = "kill postgres"
    STOP_WORKER = "stop worker"
    STOP_SUPERVISOR = "stop supervisor"


class Options(Struct, frozen=True, kw_only=True):
    """How much of everything; `seconds` is the time over which the faults are spread."""

    seed: int
    steps: int
    seconds: float
    worker_kills: int
    supervisor_kills: int
    zygote_kills: int
    postgres_kills: int
    stops: int
    workers: int = 4


class Fault(NamedTuple):
    """`at` seconds after the beginning; `pick`, 0 to 1, chooses among several targets; `seconds`
    is how long a stop or an outage lasts. `late`: it found no target at its time."""

    at: float
    kind: Kind
    pick: float
    seconds: float
    late: bool = False


class Burst(NamedTuple):
    """So many tasks submitted at once, `at` seconds after the beginning."""

    at: float
    tasks: int


_STEPS_A_TASK = 5.3  # a little less than the mean of the five workflows: no step too few
_BURST = (5, 250)
_LONGEST_STOP = 1.8
_LONGEST_OUTAGE = 2.5
_OUTAGE_SHARE = 0.05
"""Of a short run's time: the other faults are to hit work, and not an idle system."""
_DOUBLE = 1.2


def usual_seconds(workers: int, supervisors: int, zygotes: int, servers: int, stops: int) -> float:
    """How long a run with so many faults of each kind should take: there is work between them."""
    return max(5.0, 0.25 * workers + 2 * supervisors + zygotes + 4 * servers + 0.5 * stops)


def faults(options: Options) -> list[Fault]:
    """All faults in the order of their times.

    Every third kill of a supervisor follows soon after another one: on one that still starts.
    """
    rng = random.Random(f"faults {options.seed}")
    drawn = [
        Fault(rng.uniform(0, options.seconds), kind, rng.random(), _seconds(rng, kind, options))
        for kind, count in _counts(options, rng).items()
        for _ in range(count)
    ]
    kills = [place for place, fault in enumerate(drawn) if fault.kind == Kind.SUPERVISOR]
    for first, second in zip(kills[::3], kills[1::3], strict=False):
        drawn[second] = drawn[second]._replace(at=drawn[first].at + rng.uniform(0.02, _DOUBLE))
    return sorted(drawn)


def bursts(options: Options) -> list[Burst]:
    """Tasks for about `options.steps` steps, in bursts spread over the run; idle in between."""
    rng = random.Random(f"bursts {options.seed}")
    left = max(1, round(options.steps / _STEPS_A_TASK))
    drawn = []
    while left > 0:
        tasks = min(left, rng.randint(*_BURST))
        drawn.append(Burst(rng.uniform(0, options.seconds), tasks))
        left -= tasks
    return sorted(drawn)


def _counts(options: Options, rng: random.Random) -> dict[Kind, int]:
    of_supervisor = sum(rng.random() < 0.25 for _ in range(options.stops))
    return {
        Kind.WORKER: options.worker_kills,
        Kind.SUPERVISOR: options.supervisor_kills,
        Kind.ZYGOTE: options.zygote_kills,
        Kind.POSTGRES: options.postgres_kills,
        Kind.STOP_WORKER: options.stops - of_supervisor,
        Kind.STOP_SUPERVISOR: of_supervisor,
    }


def _seconds(rng: random.Random, kind: Kind, options: Options) -> float:
    match kind:
        case Kind.STOP_WORKER | Kind.STOP_SUPERVISOR:
            return rng.uniform(0.02, _LONGEST_STOP)
        case Kind.POSTGRES:
            return rng.uniform(0, min(_LONGEST_OUTAGE, _OUTAGE_SHARE * options.seconds))
        case _:
            return 0.0
