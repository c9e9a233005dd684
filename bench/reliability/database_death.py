"""`kill -9` of the embedded PostgreSQL under load: how soon the work goes on."""

import os
import random
import signal
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import psycopg

from bench.reliability.figure import Figure, milliseconds
from bench.reliability.load import await_end, put_under_load
from bench.reliability.patience import until
from bench.reliability.probe import Probe
from bench.reliability.service import Service
from bench.reliability.stage import Stage
from tasker_mp.db.embedded import EmbeddedServer
from tasker_mp.errors import EngineError

_PATIENCE = (3.0, 6.0)
"""Never the same, or all samples would meet the reconnecting backoff in the same phase."""
_DEFINITION = (
    "From the first query that the restarted server answers until the first finish is committed;"
    " `total`: from SIGKILL of the postmaster. The backlog is of the linear example workflow."
)


class DatabaseDeath:
    """The supervisor starts its server again; what it does not within 3 to 6 s, the bench does."""

    name = "database"

    def __init__(self, repeats: int, tasks: int) -> None:
        self.total = repeats
        self._tasks = tasks
        self._finished: list[float] = []
        self._totals: list[float] = []
        self._rescues = 0

    def measure(self, stage: Stage, advance: Callable[[], None]) -> None:
        with stage.serving() as service:
            for _ in range(self.total):
                put_under_load(stage, service, self._tasks)
                self._kill_and_follow(stage, service)
                advance()

    def _kill_and_follow(self, stage: Stage, service: Service) -> None:
        killed = _kill(stage.server)
        with self._rescue(stage.server):
            probe = _answering(stage)
        with probe:
            answered = time.monotonic_ns()
            before = probe.completions()
            finished = until(lambda: probe.completions() > before, "a step finishes")
            self._finished.append(milliseconds(finished - answered))
            self._totals.append(milliseconds(finished - killed))
            service.await_ready()
            await_end(probe)

    @contextmanager
    def _rescue(self, server: EmbeddedServer) -> Iterator[None]:
        """Start the server where nobody else has, in time."""

        def start() -> None:
            if not server.status().running:
                self._rescues += 1
                server.ensure_running()

        timer = threading.Timer(random.uniform(*_PATIENCE), start)
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()

    def figures(self) -> list[Figure]:
        if not self._finished:
            return []
        seconds, totals = ([x / 1000 for x in xs] for xs in (self._finished, self._totals))
        median, worst = statistics.median(seconds), max(seconds)
        rescued = f", started by the bench in {self._rescues} of {len(totals)} cases"
        return [
            Figure(
                name="recovery after kill -9 of PostgreSQL, once it answers",
                unit="s",
                statistic="max",
                value=round(worst, 3),
                goal=5,
                measured=f"median {median:.2f}, max {worst:.2f} s (from the kill:"
                f" {statistics.median(totals):.2f}, max {max(totals):.2f} s"
                f"{rescued if self._rescues else ''})",
                count=len(self._finished),
                samples={"finished_ms": self._finished, "total_ms": self._totals},
                definition=_DEFINITION,
            )
        ]


def _kill(server: EmbeddedServer) -> int:
    """When, in monotonic nanoseconds. The status vouches for the pid being this server's."""
    status = server.status()
    if status.pid is None:
        raise EngineError("the embedded PostgreSQL is not running: there is nothing to kill")
    killed = time.monotonic_ns()
    os.kill(status.pid, signal.SIGKILL)
    return killed


def _answering(stage: Stage) -> Probe:
    """A connection to the server that runs now; the one just killed answers no more of them."""
    probes: list[Probe] = []

    def answers() -> bool:
        with suppress(psycopg.OperationalError):
            probes.append(stage.probe())
        return bool(probes)

    until(answers, "PostgreSQL answers")
    return probes[0]
