"""How fast tasks can be submitted, and what of that is the client's own work."""

import time
from collections.abc import Callable
from statistics import median

from bench.size.row import Row
from bench.size.site import LINEAR, open_site
from tasker_mp.client import Submission
from tasker_mp.config import Config

_GOAL = 15_000.0
_CHUNK = 1000


class Submit:
    """Tasks of four steps in chunks of 1,000 while nothing is claimed, as `submit_many` is used."""

    name = "submit"

    def __init__(self, rounds: int, round_tasks: int) -> None:
        self._rounds = rounds
        self._chunks = max(1, round_tasks // _CHUNK)
        self._rates: list[float] = []
        self._cpu: list[float] = []
        self.total = rounds + 1

    def measure(self, config: Config, advance: Callable[[], None]) -> None:
        linear = Submission(
            namespace=LINEAR.namespace, name=LINEAR.template, context=LINEAR.context
        )
        tasks = self._chunks * _CHUNK
        with open_site(config, "fresh") as site:
            for number in range(self._rounds + 1):
                started, cpu = time.perf_counter(), time.process_time()
                site.submit([linear] * tasks, _CHUNK)
                if number:  # the first round fills caches
                    self._rates.append(tasks / (time.perf_counter() - started))
                    self._cpu.append((time.process_time() - cpu) / tasks * 1e6)
                advance()

    def rows(self) -> list[Row]:
        if not self._rates:
            return []
        notes: dict[str, float | str] = {"client's CPU µs a task": round(median(self._cpu), 1)}
        load = f"chunks of {_CHUNK:,} tasks of {LINEAR.steps} steps"
        return [Row(self.name, load, "tasks/s", self._rates, [], _GOAL, notes)]
