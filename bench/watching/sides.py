"""Two systems that differ in who watches them; one is at work at a time."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

from msgspec.structs import replace

from bench.flow import Crowd, Flow
from bench.patterns import PATTERNS
from bench.project import Served, bench_project, serving
from bench.usage import children_of, exact_seconds
from bench.watching.program import timed
from bench.watching.scraper import Scraper
from bench.watching.terminal import Top
from tasker_mp.config import Config, LoggingConfig, WebConfig

_LINEAR = PATTERNS["linear"]


class Watched(NamedTuple):
    """A round under the eyes of `top` and a scraper; what `top` and the web process used, in
    percent of a core."""

    flow: Flow
    top_cpu: float
    web_cpu: float


class Sides(NamedTuple):
    """Both run, and wait for work."""

    plain: Served
    watched: Served
    settings: dict[str, str]

    def plain_round(self, level: int, seconds: float) -> Flow:
        """With nobody watching."""
        return _flow(self.plain, level, seconds)

    def watched_round(self, level: int, seconds: float) -> Watched:
        """From before the first submit, `top` has drawn and a scrape has been answered."""
        served = self.watched
        with Top(served.config.root) as top, Scraper(served.config.web) as scraper:
            began, top_before, web_before = time.monotonic(), top.cpu_seconds(), _web_cpu(served)
            flow = _flow(served, level, seconds)
            took = time.monotonic() - began
            top_cpu = 100 * (top.cpu_seconds() - top_before) / took
            web_cpu = 100 * (_web_cpu(served) - web_before) / took
            scraper.check()
        return Watched(flow, top_cpu, web_cpu)

    def status_seconds(self) -> float:
        """Of one `tasker-mp status --json`, from its start to its end, on an idle system."""
        return timed(self.watched.config.root, "status", "--json")


def _flow(served: Served, level: int, seconds: float) -> Flow:
    return Crowd(served.client, served.connection, _LINEAR, level).flow(seconds, served.meter())


def _web_cpu(served: Served) -> float:
    return sum(map(exact_seconds, children_of(served.system.pid, "web")))


@contextmanager
def both_sides(config: Config) -> Iterator[Sides]:
    """Each with a database of its own; gone with the block."""
    with ExitStack() as stack:
        own, settings = stack.enter_context(bench_project(config, "plain"))
        plain = stack.enter_context(serving(own))
        other, _ = stack.enter_context(bench_project(config, "watched"))
        other = replace(
            other,
            logging=LoggingConfig(format="json"),
            web=WebConfig(enabled=True, port=_free_port()),
        )
        log = stack.enter_context((other.root / "log").open("ab"))
        watched = stack.enter_context(serving(other, stderr=log.fileno()))
        yield Sides(plain, watched, settings)


def _free_port() -> int:
    """Nobody's by now; that it is taken before the supervisor has it is possible and told."""
    with socket.socket() as probe:
        probe.bind((WebConfig().host, 0))
        port: int = probe.getsockname()[1]
    return port
