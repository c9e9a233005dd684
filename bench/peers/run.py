"""Rounds of tasker-mp and its peers, interleaved, on one machine and one PostgreSQL server."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import psycopg
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from bench.command import measuring
from bench.database import bench_database
from bench.document import Document, Table
from bench.environment import environment
from bench.peers.broker import is_present
from bench.peers.environments import FOLDER, Environment
from bench.peers.figures import Samples, ratios, tables
from bench.peers.own_session import OWN
from bench.peers.peer import Peer, PeerError
from bench.peers.session import Contender, Session, contender
from bench.project import database_name
from bench.usage import load_average
from tasker_mp.config import Config
from tasker_mp.db.connect import open_database
from tasker_mp.errors import EngineError

_WARM_UP = 50
_WARM_SINGLES = 5
_FEWEST = 50
_PHASES = 4


class Sizes(NamedTuple):
    """`seconds` of each throughput run, whose number of tasks follows from shorter runs before;
    `singles` tasks one by one in each round; `patience` is beyond what an answer should take."""

    rounds: int
    seconds: float
    singles: int
    patience: float = 120.0


def ready(peers: Sequence[Peer], tell: Callable[[str, str], None]) -> list[Contender]:
    """Those that can be measured; `tell(name, why)` of each of the others."""
    found = []
    for peer in peers:
        place = Environment(peer, FOLDER)
        if not place.is_installed():
            tell(peer.name, "not installed: run python -m bench peers --install")
        elif peer.broker and not is_present():
            tell(peer.name, "no redis-server on the PATH: install the system's redis package")
        else:
            found.append(contender(peer, place))
    return found


def measure_peers(
    config: Config,
    others: Sequence[Contender],
    sizes: Sizes,
    console: Console,
    document: Document,
) -> None:
    """Fills the document: ours first, then the others in their order."""
    contenders = [OWN, *others]
    samples = {each.name: Samples(each) for each in contenders}
    with measuring(document, console), open_database(config):  # one server for all of them
        with bench_database(config, database_name(config, "peers")) as (_, settings):
            document.environment = environment(settings, config)
        document.environment["load before"] = load_average()
        _rounds(config, contenders, sizes, samples, document, console)
    measured = [each for each in samples.values() if each.throughputs]
    if measured:
        own = samples[OWN.name]
        document.series = ratios(own, [each for each in measured if each is not own])
        document.series += [series for each in measured for series in each.series()]
        document.tables = tables(measured)


def not_measured(skipped: Sequence[tuple[str, str]]) -> list[Table]:
    rows: list[list[str | float | None]] = [[name, why] for name, why in skipped]
    return [Table("Not measured", ["engine", "why"], rows)] if rows else []


def _rounds(
    config: Config,
    contenders: list[Contender],
    sizes: Sizes,
    samples: dict[str, Samples],
    document: Document,
    console: Console,
) -> None:
    """Who fails once is told of and left out from then on."""
    columns = (TextColumn("{task.description:>13}"), BarColumn())
    times = (TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, *times, console=console, transient=True) as progress:
        bar = progress.add_task("", total=sizes.rounds * len(contenders) * _PHASES)
        for _ in range(sizes.rounds):
            for each in list(contenders):
                progress.update(bar, description=each.name)
                try:
                    samples[each.name].add(
                        _measure(each, config, sizes, lambda: progress.advance(bar))
                    )
                except (PeerError, EngineError, psycopg.Error, OSError) as error:
                    document.problems.append(f"{each.name}: {_line(error)}")
                    console.print(f"error: {document.problems[-1]}", markup=False, soft_wrap=True)
                    contenders.remove(each)


def _measure(
    each: Contender, config: Config, sizes: Sizes, advance: Callable[[], None]
) -> dict[str, Any]:
    """One round of one engine, on a fresh database: alone first, then in a crowd."""
    with (
        bench_database(config, database_name(config, "peers")) as (own, _),
        each.open(own) as session,
    ):
        advance()
        _ask(session, "singles", _WARM_SINGLES, sizes.patience)
        latencies = _ask(session, "singles", sizes.singles, sizes.patience)["latencies_ms"]
        advance()
        session.crowd()
        tasks = _as_many_as_take(session, sizes)
        advance()
        run = _ask(session, "run", tasks, sizes.seconds + sizes.patience)
        advance()
        return {
            "latencies_ms": latencies,
            "tasks": tasks,
            "seconds": run["seconds"],
            "submit_seconds": run["submit_seconds"],
            "versions": session.versions,
        }


def _as_many_as_take(session: Session, sizes: Sizes) -> int:
    """The tasks that keep it busy for `sizes.seconds`: from shorter runs, the first one cold."""
    _ask(session, "run", _WARM_UP, sizes.patience)
    rate = _rate(session, _WARM_UP, sizes)
    rate = _rate(session, max(_WARM_UP, round(rate * min(1.0, sizes.seconds / 4))), sizes)
    return max(_FEWEST, round(rate * sizes.seconds))


def _rate(session: Session, tasks: int, sizes: Sizes) -> float:
    return tasks / float(_ask(session, "run", tasks, sizes.patience)["seconds"])


def _ask(session: Session, what: str, count: int, limit: float) -> dict[str, Any]:
    answer = session.ask({what: count}, limit)
    if answer.get("wrong") != 0:
        raise PeerError(f"{answer.get('wrong')} of {count} results are wrong")
    return answer


def _line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
