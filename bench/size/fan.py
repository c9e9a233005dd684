"""One task of very many steps."""

from collections.abc import Callable

from bench.size import templates
from bench.size.flow import rate
from bench.size.row import Row
from bench.size.site import Site, open_site
from tasker_mp.config import Config

_GOAL = 0.7


class Fan:
    """A step, all but two of the others behind it side by side, and one behind all of those."""

    name = "fan"

    def __init__(self, steps: int, rounds: int, round_tasks: int) -> None:
        self._steps = steps
        self._rounds = rounds
        self._round_tasks = round_tasks
        self._fresh: list[float] = []
        self._loaded: list[float] = []
        self.total = 2 * rounds + 2

    def measure(self, config: Config, advance: Callable[[], None]) -> None:
        with open_site(config, "fresh") as fresh, open_site(config, "loaded") as loaded:
            template = templates.fan(self._steps)
            loaded.client.register(template)
            rate(fresh, self._round_tasks // 2)
            advance()
            self._run(loaded, template.name)
            advance()
            for _ in range(self._rounds):
                self._fresh.append(rate(fresh, self._round_tasks))
                advance()
                self._loaded.append(self._run(loaded, template.name))
                advance()

    def _run(self, site: Site, name: str) -> float:
        task = site.client.submit(templates.NAMESPACE, name, {})
        site.resume()
        try:
            return self._steps / site.seconds([task.uuid])
        finally:
            site.pause()

    def rows(self) -> list[Row]:
        if not self._loaded:
            return []
        load = f"one task of {self._steps:,} steps"
        return [Row(self.name, load, "steps/s", self._loaded, self._fresh, _GOAL, {})]
