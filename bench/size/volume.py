"""Much that waits, and much that is done."""

from collections.abc import Callable

from bench.size.copies import chunks, copy_task
from bench.size.flow import rate
from bench.size.row import Row
from bench.size.site import LINEAR, Site, open_site
from bench.size.space import check_space
from tasker_mp.config import Config

_GOAL = 0.9
_TASK_BYTES = 3200
"""On disk, with four steps and its message."""


class Volume:
    """Linear tasks made by the million, then rounds on that database and on a fresh one."""

    def __init__(self, name: str, load: str, tasks: int, rounds: int, round_tasks: int) -> None:
        self.name = name
        self._load = load
        self._tasks = tasks
        self._rounds = rounds
        self._round_tasks = round_tasks
        self._fresh: list[float] = []
        self._loaded: list[float] = []
        self.total = chunks(tasks) + 2 * rounds + 2

    def measure(self, config: Config, advance: Callable[[], None]) -> None:
        with open_site(config, "fresh") as fresh, open_site(config, "loaded") as loaded:
            check_space(loaded, self._tasks * _TASK_BYTES)
            self._fill(loaded, advance)
            for site in (fresh, loaded):  # caches and plans, not measured
                rate(site, self._round_tasks // 2)
                advance()
            for _ in range(self._rounds):
                self._fresh.append(rate(fresh, self._round_tasks))
                advance()
                self._loaded.append(rate(loaded, self._round_tasks))
                advance()

    def _fill(self, site: Site, advance: Callable[[], None]) -> None:
        raise NotImplementedError

    def rows(self) -> list[Row]:
        if not self._loaded:
            return []
        return [Row(self.name, self._load, "steps/s", self._loaded, self._fresh, _GOAL, {})]


class Backlog(Volume):
    """Ready steps in front of and behind those that are measured, in the same queue."""

    def __init__(self, steps: int, rounds: int, round_tasks: int) -> None:
        super().__init__("backlog", f"{steps:,} ready steps", steps, rounds, round_tasks)

    def _fill(self, site: Site, advance: Callable[[], None]) -> None:
        task = site.client.submit(LINEAR.namespace, LINEAR.template, LINEAR.context)
        copy_task(site.connection, task.uuid, self._tasks, advance)
        site.settle()


class History(Volume):
    """Steps that have finished."""

    def __init__(self, steps: int, rounds: int, round_tasks: int) -> None:
        tasks = -(-steps // LINEAR.steps)
        super().__init__("history", f"{steps:,} finished steps", tasks, rounds, round_tasks)

    def _fill(self, site: Site, advance: Callable[[], None]) -> None:
        task = site.client.submit(LINEAR.namespace, LINEAR.template, LINEAR.context)
        site.resume()
        site.seconds([task.uuid])
        site.pause()
        copy_task(site.connection, task.uuid, self._tasks, advance)
        site.settle()
