"""`kill -9` of the supervisor under load: its workers' end, and what its successor makes of it."""

import statistics
import time
from collections.abc import Callable

from bench.reliability.figure import Figure, milliseconds
from bench.reliability.load import await_end, put_under_load
from bench.reliability.patience import until
from bench.reliability.service import Service
from bench.reliability.stage import Stage
from bench.reliability.watch import Watch

_ORPHANS_LIMIT = 30.0
_DEFINITION = (
    "From the successor's exec until it has committed its first finish; `recovered`: until the"
    " claims of the one before are given back; `orphans`: from the kill until workers and zygote"
    " are dead. The backlog is of the linear example workflow."
)


class SupervisorDeath:
    """A supervisor, its death and its successor, again and again."""

    name = "supervisor"

    def __init__(self, repeats: int, tasks: int) -> None:
        self.total = repeats
        self._tasks = tasks
        self._orphans: list[float] = []
        self._recovered: list[float] = []
        self._finished: list[float] = []

    def measure(self, stage: Stage, advance: Callable[[], None]) -> None:
        with stage.serving() as service:
            while len(self._finished) < self.total:
                put_under_load(stage, service, self._tasks)
                if self._kill_and_follow(stage, service):
                    advance()

    def _kill_and_follow(self, stage: Stage, service: Service) -> bool:
        """False where it happened to hold nothing when it died."""
        with stage.probe() as probe:
            predecessor = probe.supervisor(service.pid)
            orphans = _kill(service)
            held = probe.claims(predecessor)
            began = service.start()
            recovered = until(lambda: probe.claims(predecessor) == 0, "its claims are given back")
            before = probe.completions()
            finished = until(lambda: probe.completions() > before, "a step finishes")
            if held:
                self._orphans.append(orphans)
                self._recovered.append(milliseconds(recovered - began))
                self._finished.append(milliseconds(finished - began))
            service.await_ready()
            await_end(probe)
            return held > 0

    def figures(self) -> list[Figure]:
        if not self._finished:
            return []
        seconds = [x / 1000 for x in self._finished]
        median, worst = statistics.median(seconds), max(seconds)
        recovered = [x / 1000 for x in self._recovered]
        return [
            Figure(
                name="recovery after kill -9 of the supervisor",
                unit="s",
                statistic="max",
                value=round(worst, 3),
                goal=2,
                measured=f"median {median:.2f}, max {worst:.2f} s (claims recovered after"
                f" {statistics.median(recovered):.2f}, max {max(recovered):.2f} s;"
                f" orphans dead after at most {max(self._orphans):.1f} ms)",
                count=len(self._finished),
                samples={
                    "finished_ms": self._finished,
                    "recovered_ms": self._recovered,
                    "orphans_ms": self._orphans,
                },
                definition=_DEFINITION,
            )
        ]


def _kill(service: Service) -> float:
    """How long its workers and its zygote outlived the signal, in milliseconds."""
    with Watch() as watch:
        for pid in (service.pid, *service.children()):
            watch.add(pid)
        killed = time.monotonic_ns()
        supervisor = service.pid
        service.kill()
        ends = watch.wait_for_all(_ORPHANS_LIMIT)
    service.reap()
    return milliseconds(max(at for pid, at in ends.items() if pid != supervisor) - killed)
