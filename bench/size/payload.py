"""Contexts and results of several sizes."""

from collections.abc import Callable
from statistics import median

from bench.size import templates
from bench.size.row import Row
from bench.size.site import Site, open_site
from tasker_mp.client import Submission
from tasker_mp.config import Config

_SIZES = {"100 B": 100, "10 KB": 10_000, "1 MB": 1_000_000}
_ROUND_BYTES = 40_000_000
_CHUNK_BYTES = 8_000_000
_FILLER = 13
"""Bytes of the context that are not the filler."""


class Payload:
    """Tasks of one step, which takes as many bytes as it returns."""

    name = "payload"

    def __init__(self, rounds: int, round_tasks: int) -> None:
        self._rounds = rounds
        self._round_tasks = round_tasks
        self._rates: dict[str, list[float]] = {name: [] for name in _SIZES}
        self.total = (rounds + 1) * len(_SIZES)

    def measure(self, config: Config, advance: Callable[[], None]) -> None:
        with open_site(config, "fresh") as site:
            for number in range(self._rounds + 1):
                for name, size in _SIZES.items():
                    found = self._rate(site, size)
                    if number:  # the first round fills caches
                        self._rates[name].append(found)
                    advance()

    def _rate(self, site: Site, size: int) -> float:
        count = min(self._round_tasks, _ROUND_BYTES // size)
        context = {"filler": "x" * (size - _FILLER)}
        single = Submission(namespace=templates.NAMESPACE, name="single", context=context)
        uuids = site.submit([single] * count, min(1000, max(1, _CHUNK_BYTES // size)))
        site.resume()
        try:
            return count / site.seconds(uuids)
        finally:
            site.pause()

    def rows(self) -> list[Row]:
        smallest = self._rates["100 B"]
        return [
            Row(
                self.name,
                f"context and result of {name}",
                "steps/s",
                rates,
                smallest[: len(rates)],
                None,
                {"MB/s each way": round(median(rates) * _SIZES[name] / 1e6, 1)},
            )
            for name, rates in self._rates.items()
            if rates
        ]
