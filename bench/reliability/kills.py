"""Throughput under one worker kill a second, against undisturbed, in turn."""

import random
import statistics
import time
from collections.abc import Callable

from bench.reliability.figure import Figure
from bench.reliability.probe import Probe
from bench.reliability.service import Service, kill_worker
from bench.reliability.stage import Stage

_KILL_SECONDS = 1.0
_SETTLE_SECONDS = 0.5
_WARM_UP_SECONDS = 2.0
_FIRST_RATE = 8000.0
_MARGIN = 1.5
_STEPS = 4
_DEFINITION = (
    "Steps finished a second while a backlog of the linear example workflow is worked off; rounds"
    " with and without a SIGKILL a second to a random worker take turns. Each pair's ratio."
)


class Kills:
    """A backlog that never runs dry, submitted while the supervisor pauses."""

    name = "kills"

    def __init__(self, pairs: int, seconds: float) -> None:
        self.total = 2 * pairs + 1
        self._pairs = pairs
        self._seconds = seconds
        self._rate = _FIRST_RATE
        self._undisturbed: list[float] = []
        self._disturbed: list[float] = []
        self._kills = 0

    def measure(self, stage: Stage, advance: Callable[[], None]) -> None:
        with stage.serving() as service, stage.probe() as probe:
            self._round(stage, service, probe, min(_WARM_UP_SECONDS, self._seconds), kill=False)
            advance()
            for _ in range(self._pairs):
                for kill, found in ((False, self._undisturbed), (True, self._disturbed)):
                    found.append(self._round(stage, service, probe, self._seconds, kill=kill))
                    advance()

    def _round(
        self, stage: Stage, service: Service, probe: Probe, seconds: float, *, kill: bool
    ) -> float:
        """Steps a second; the rate that the next round's backlog is made for, too."""
        settling = min(_SETTLE_SECONDS, seconds / 2)
        self._fill(stage, service, probe, seconds + settling)
        time.sleep(settling)
        begin = probe.now()
        self._pass(service, seconds, kill=kill)
        end = probe.now()
        service.command("pause")
        count, last = probe.finished_between(begin, end)
        dry = probe.open_tasks() == 0
        rate = count / ((last if dry and count else end) - begin)
        self._rate = max(self._rate / 2, rate / _STEPS)
        return round(rate, 1)

    def _fill(self, stage: Stage, service: Service, probe: Probe, seconds: float) -> None:
        service.command("pause")
        wanted = int(self._rate * _MARGIN * seconds)
        stage.submit_linear(max(0, wanted - probe.open_tasks()))
        service.command("resume")

    def _pass(self, service: Service, seconds: float, *, kill: bool) -> None:
        """Let that time go by; the first kill comes after half an interval."""
        until = time.monotonic() + seconds
        due = time.monotonic() + min(_KILL_SECONDS, seconds) / 2
        while (now := time.monotonic()) < until:
            if kill and now >= due:
                self._kill_one(service)
                due += _KILL_SECONDS
            time.sleep(max(0.0, min(due if kill else until, until) - time.monotonic()))

    def _kill_one(self, service: Service) -> None:
        workers = service.children("worker")
        if workers and kill_worker(random.choice(workers), service.pid):
            self._kills += 1

    def figures(self) -> list[Figure]:
        if not self._disturbed:
            return []
        undisturbed = statistics.median(self._undisturbed)
        disturbed = statistics.median(self._disturbed)
        pairs = [round(b / a, 3) for a, b in zip(self._undisturbed, self._disturbed, strict=False)]
        ratio = statistics.median(pairs)
        return [
            Figure(
                name="throughput under one worker kill a second",
                unit="",
                statistic="ratio",
                value=ratio,
                goal=0.9,
                measured=f"{ratio:.2f} of undisturbed: {disturbed:,.0f} against {undisturbed:,.0f}"
                f" steps/s (pairs: {min(pairs):.2f} to {max(pairs):.2f}; undisturbed rounds"
                f" {min(self._undisturbed):,.0f} to {max(self._undisturbed):,.0f}; rounds of"
                f" {self._seconds:g} s, {self._kills} kills)",
                count=len(self._undisturbed) + len(self._disturbed),
                samples={"undisturbed": self._undisturbed, "disturbed": self._disturbed},
                definition=_DEFINITION,
                at_least=True,
                rounds=pairs,
                sample_unit="steps/s",
            )
        ]
