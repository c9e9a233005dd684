"""Worker respawn: how long a killed worker's place does no work."""

import random
import time
from collections.abc import Callable

from bench.reliability.entries import Entry
from bench.reliability.figure import Figure, milliseconds
from bench.reliability.patience import until
from bench.reliability.service import Service, kill_worker
from bench.reliability.stage import Stage
from bench.samples import summary

_NAPS_PER_KILL = 6
_DEFINITION = (
    "From SIGKILL of a worker that sleeps in its step until its successor has entered a handler,"
    " by that one's clock; steps wait, so that it gets one at once. Reaping, the last drain, blame,"
    " fork, adoption and dispatch are all in it."
)


class Respawn:
    """One kill at a time, so that the next process never seen before is the successor."""

    name = "respawn"

    def __init__(self, count: int) -> None:
        self.total = count
        self._milliseconds: list[float] = []

    def measure(self, stage: Stage, advance: Callable[[], None]) -> None:
        with stage.serving() as service:
            workers = stage.config.worker.count
            stage.submit(["nap"] * (_NAPS_PER_KILL * (self.total + 10) + 10 * workers))
            latest: dict[int, Entry] = {}
            while len(latest) < workers:
                _note(latest, stage.entries.next())
            for _ in range(self.total):
                killed = _kill_one(service, stage, latest)
                while (entry := stage.entries.next()).pid in latest:
                    _note(latest, entry)
                _note(latest, entry)
                self._milliseconds.append(milliseconds(entry.at_ns - killed))
                advance()

    def figures(self) -> list[Figure]:
        if not self._milliseconds:
            return []
        found = summary(self._milliseconds, 50, 99)
        return [
            Figure(
                name="worker respawn",
                unit="ms",
                statistic="p50",
                value=found["p50"],
                goal=20,
                measured=f"p50 {found['p50']:.1f}, p99 {found['p99']:.1f},"
                f" max {found['max']:.1f} ms",
                count=len(self._milliseconds),
                samples={},
                rounds=self._milliseconds,
                definition=_DEFINITION,
            )
        ]


def _note(latest: dict[int, Entry], entry: Entry) -> None:
    latest[entry.pid] = entry


def _kill_one(service: Service, stage: Stage, latest: dict[int, Entry]) -> int:
    """Kill whoever began last, in the middle of its nap; when."""
    time.sleep(random.uniform(0.02, 0.06))
    for entry in stage.entries.read():
        _note(latest, entry)
    killed: list[int] = []

    def kill() -> bool:
        pid = max(latest, key=lambda pid: latest[pid].at_ns)
        at_ns = kill_worker(pid, service.pid)
        killed.extend([at_ns] if at_ns else [])
        return bool(killed)

    until(kill, "a worker to kill")
    return killed[0]
