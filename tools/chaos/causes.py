"""Why a step ran again: each repetition needs a fault that could have touched the run before it."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence
from enum import StrEnum
from itertools import pairwise
from typing import Final

from tools.chaos.executions import Execution
from tools.chaos.injector import Hit
from tools.chaos.schedule import Kind
from tools.chaos.service import Exit

_SECOND: Final = 1_000_000_000
_SIGNAL: Final = _SECOND // 10
"""A hit is noted just before its signal is sent, and a step may start in between."""
_DYING: Final = 1 * _SECOND
"""Workers outlive their supervisor by the time that the kernel takes to tell them."""
_LEAVING: Final = 15 * _SECOND
"""A supervisor that gives up has killed its workers this long before it ends, at most."""
_LOST_CLAIM: Final = 20 * _SECOND
"""A claim that a killed server forgot may still wait for its turn in a worker's ring."""


class Cause(StrEnum):
    """What a repetition is owed to."""

    FAILURE = "the handler failed"
    CHECKPOINT = "it goes on from a checkpoint"
    WORKER = "its worker was killed"
    SUPERVISOR = "its supervisor ended"
    POSTGRES = "the database was killed"


class Faults:
    """What happened, by time."""

    def __init__(self, hits: Iterable[Hit], exits: Iterable[Exit] = ()) -> None:
        self.killed_workers: defaultdict[int, list[int]] = defaultdict(list)
        supervisors, servers = [], []
        killed = set()
        for hit in hits:
            match hit.kind:
                case Kind.WORKER:
                    self.killed_workers[hit.pid].append(hit.at_ns)
                case Kind.SUPERVISOR:
                    killed.add(hit.pid)
                    supervisors.append((hit.at_ns, _DYING))
                case Kind.POSTGRES:
                    servers.append((hit.at_ns, _LOST_CLAIM))
        supervisors += [(end.at_ns, _LEAVING) for end in exits if end.pid not in killed]
        self._late = {
            Cause.SUPERVISOR: sorted(supervisors),
            Cause.POSTGRES: sorted(servers),
        }

    def causes(self, executions: Sequence[Execution]) -> list[Cause | None]:
        """One for each run of a step after its first, None where nothing explains it.

        A fault of a supervisor or of the server explains one repetition of a step.
        """
        used: set[tuple[Cause, int]] = set()
        return [self._cause(before, after, used) for before, after in pairwise(executions)]

    def _cause(
        self, before: Execution, after: Execution, used: set[tuple[Cause, int]]
    ) -> Cause | None:
        if before.failed:
            return Cause.FAILURE
        if before.yielded:
            return Cause.CHECKPOINT
        kills = self.killed_workers.get(before.pid, ())
        if any(before.started - _SIGNAL <= at <= after.started for at in kills):
            return Cause.WORKER
        for cause, events in self._late.items():
            first = bisect_left(events, (before.started - _LOST_CLAIM, 0))
            for at, tolerance in events[first:]:
                if at > after.started:
                    break
                if at >= before.started - tolerance and (cause, at) not in used:
                    used.add((cause, at))
                    return cause
        return None


def by_step(executions: Iterable[Execution]) -> dict[tuple[str, str], list[Execution]]:
    """Executions by (task, step), each in the order of the starts."""
    steps: defaultdict[tuple[str, str], list[Execution]] = defaultdict(list)
    for execution in executions:
        steps[execution.task, execution.step].append(execution)
    return steps
