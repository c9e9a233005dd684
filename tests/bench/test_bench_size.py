"""The sizes: what the rounds come to, and one of them measured on a real system."""

from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from bench_cli import bench_database_of, is_there, measure
from click.testing import CliRunner
from dags import asynchronous, claim, client, done, finish, opened, run_to_the_end, submit
from msgspec.structs import replace
from rich.console import Console

from bench.document import Document
from bench.page import page
from bench.size import run
from bench.size.command import size
from bench.size.held import Held, Round
from bench.size.row import Row
from bench.size.run import Sizes, measure_sizes
from bench.size.site import Site
from tasker_mp.config import Config, load_config
from tasker_mp.db.connect import connect
from tasker_mp.errors import EngineError

_REPOSITORY = Path(__file__).parents[2]
_LIMIT = 100.0


def _row(loaded: list[float], fresh: list[float], goal: float | None = 0.9) -> Row:
    return Row("backlog", "7 steps", "steps/s", loaded, fresh, goal, {"dead": 3})


def test_a_ratio_is_of_rounds_that_were_beside_each_other() -> None:
    ratio, loaded, fresh = _row([90.0, 40.0, 400.0], [100.0, 50.0, 400.0]).series()
    assert (ratio.name, ratio.samples) == ("backlog: 7 steps, ratio", [0.9, 0.8, 1.0])
    assert (ratio.value, ratio.goal, ratio.met) == (0.9, 0.9, True)
    assert loaded.samples == [90.0, 40.0, 400.0]
    assert (fresh.samples, fresh.goal) == ([100.0, 50.0, 400.0], None)
    assert loaded.group == fresh.group != ratio.group


def test_a_round_without_its_fresh_one_makes_no_ratio() -> None:
    ratio, loaded, _ = _row([90.0, 40.0], [100.0]).series()
    assert (ratio.samples, loaded.samples) == ([0.9], [90.0, 40.0])


def test_without_fresh_rounds_the_goal_is_one_of_the_rate() -> None:
    (rate,) = _row([10.0, 30.0, 20.0], [], 15.0).series()
    assert (rate.value, rate.met) == (20.0, True)
    assert _row([], []).series() == []


def test_of_a_held_transaction_the_last_quarter_counts() -> None:
    held = Held(100.0, 10)
    assert held.rows() == []
    held._rounds = [Round(float(at), 100.0 - at, 100.0) for at in (10, 50, 80, 100)]
    (row,) = held.rows()
    assert (row.loaded, row.fresh) == ([20.0, 0.0], [100.0, 100.0])
    assert row.load == "a transaction open for 1.7 min, its last quarter"
    assert row.notes["ratio over all the time"] == 0.35
    held._rounds = held._rounds[:2]  # interrupted: what was measured is said, not what was wanted
    assert held.rows()[0].load.startswith("a transaction open for 0.83 min")


# -- one after the other --------------------------------------------------------------------------


class Fake:
    """A measurement that does what it is told."""

    total = 1

    def __init__(self, name: str, act: Callable[[], None]) -> None:
        self.name = name
        self._act = act

    def measure(self, _: Config, advance: Callable[[], None]) -> None:
        self._act()
        advance()

    def rows(self) -> list[Row]:
        return [replace(_row([9.0], [10.0]), measurement=self.name)]


def _raise(error: BaseException) -> Callable[[], None]:
    def act() -> None:
        raise error

    return act


def _measured(
    databases_dsn: str, monkeypatch: pytest.MonkeyPatch, *fakes: Fake
) -> tuple[Document, Console]:
    monkeypatch.setattr(run, "_measurements", lambda _: fakes)
    monkeypatch.setattr(run, "NAMES", tuple(fake.name for fake in fakes))
    config = load_config(_REPOSITORY / "config", environ={})
    config = replace(config, database=replace(config.database, url=databases_dsn))
    document, console = Document("size", "2026-01-01T00:00:00+00:00"), Console(record=True)
    measure_sizes((), Sizes(1, 1, 3, 0, 1, 2), config, console, document)
    return document, console


def test_what_fails_is_a_line_and_the_rest_goes_on(
    empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = Fake("good", lambda: None)
    document, console = _measured(
        empty_database,
        monkeypatch,
        Fake("small", _raise(EngineError("9.0 GB needed: choose a smaller size"))),
        Fake("broken", _raise(psycopg.OperationalError("gone\nDETAIL: none"))),
        good,
    )
    problems = ["small: 9.0 GB needed: choose a smaller size", "broken: gone"]
    assert document.problems == problems
    assert [f"error: {problem}" in console.export_text(clear=False) for problem in problems]
    assert "good: 7 steps" in {series.name for series in document.series}
    assert document.environment["database"]["fsync"]
    assert "| good: 7 steps | dead | 3 |" in page(document)


def test_an_interruption_ends_it_with_what_there_is(
    empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[str] = []
    document, _ = _measured(
        empty_database,
        monkeypatch,
        Fake("first", lambda: begun.append("first")),
        Fake("second", _raise(KeyboardInterrupt())),
        Fake("third", lambda: begun.append("third")),
    )
    assert document.interrupted
    assert begun == ["first"]
    assert "Size (partial)" in page(document)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--only", "sky"], "'sky'"),
        (["--fan", "2"], "--fan"),
        (["--backlog", "0"], "--backlog"),
        (["--held-minutes", "-1"], "--held-minutes"),
        (["--rounds", "many"], "'many'"),
    ],
)
def test_a_size_that_cannot_be_is_refused(arguments: list[str], named: str) -> None:
    result = CliRunner().invoke(size, arguments)
    assert result.exit_code == 2
    assert named in result.output


@pytest.mark.long
def test_a_backlog_is_measured_beside_a_fresh_database(database: str) -> None:
    """The whole command."""
    sizes = (
        "--only",
        "backlog",
        "--backlog",
        "500",
        "--rounds",
        "1",
        "--tasks",
        "20",
        "--workers",
        "1",
    )
    document = measure(database, "size", *sizes)
    ratio, loaded, fresh = document.series
    assert ratio.name == "backlog: 500 ready steps, ratio"
    assert ratio.samples == [pytest.approx(loaded.samples[0] / fresh.samples[0], abs=0.01)]
    assert min(loaded.samples[0], fresh.samples[0]) > 0
    assert document.problems == []
    for name in ("fresh", "loaded"):
        assert not is_there(database, bench_database_of(database, name))


@asynchronous
async def test_only_what_was_done_meanwhile_counts(database: str, tmp_path: Path) -> None:
    """A pause catches tasks between two steps: what they did before is not this round's."""
    begun, other = submit(database, {"one": (), "two": ("one",), "three": ("two",)}, 2)
    settings = replace(load_config(_REPOSITORY / "config", environ={}), root=tmp_path)
    with client(database) as asker, connect(database) as connection:
        site = Site(settings, {}, asker, connection)
        async with opened(database) as [store]:
            await finish(store, done((await claim(store, 1))[0]))
            connection.execute("update tasker.tasks set started_at = started_at - interval '1 day'")
            since = site.now()
            assert await run_to_the_end(store) == 5
        seconds = site.value(
            "select extract(epoch from max(completed_at) - %s)::float8 from tasker.tasks", since
        )
        assert 0 < seconds < _LIMIT
        assert site.rate([begun, other], since) == pytest.approx(5 / seconds)
