"""Peers that are missing, die, hang or talk nonsense are one clear line each; the rest goes on."""

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from click.testing import CliRunner
from msgspec.structs import replace
from rich.console import Console

from bench.document import Document, Series, decode_document
from bench.page import page
from bench.peers import command, run
from bench.peers.environments import Environment
from bench.peers.figures import Samples, ratios
from bench.peers.own_session import OWN
from bench.peers.peer import PEERS, Peer, PeerError
from bench.peers.program import Program
from bench.peers.run import Sizes, ready
from bench.peers.session import PeerSession, peer_session, url_of
from tasker_mp.config import Config, load_config

_REPOSITORY = Path(__file__).parents[2]
_LIMIT = 60.0
_GOOD = """
    import json, sys, time
    sys.stdin.readline()
    role = sys.argv[1]
    if role == "prepare":
        sys.exit(0)
    print(json.dumps({"ready": True, "versions": {"fake": "1.0"}}), flush=True)
    if role == "work":
        time.sleep(600)
    for line in sys.stdin:
        asked = json.loads(line)
        if "singles" in asked:
            answer = {"latencies_ms": [2.0] * asked["singles"], "wrong": 0}
        else:
            answer = {"seconds": asked["run"] / 100, "submit_seconds": 0.01, "wrong": 0}
        print(json.dumps(answer), flush=True)
"""


@pytest.fixture
def program(tmp_path: Path) -> Callable[[str], list[str]]:
    """The command of a program with that text."""

    def written(text: str) -> list[str]:
        path = tmp_path / "fake.py"
        path.write_text(textwrap.dedent(text))
        return [sys.executable, str(path)]

    return written


def _fake(**changes: Any) -> Peer:
    return replace(PEERS["absurd"], name="fake", alone=1, crowd=lambda _: 2, **changes)


def _config() -> Config:
    config = load_config(_REPOSITORY / "config", environ={})
    url = "postgresql://someone:secret@/nowhere?host=/nowhere"
    return replace(config, database=replace(config.database, url=url))


@contextmanager
def _session(command_line: list[str]) -> Iterator[PeerSession]:
    with peer_session(_fake(), command_line, _config()) as session:
        yield session


def _refused(command_line: list[str], limit: float = _LIMIT) -> str:
    with pytest.raises(PeerError) as caught, _session(command_line) as session:
        session.ask({"run": 10}, limit)
    return str(caught.value)


def test_a_peer_is_asked_and_nothing_of_it_is_left(program: Callable[[str], list[str]]) -> None:
    with _session(program(_GOOD)) as session:
        session.crowd()
        assert session.versions == {"fake": "1.0"}
        assert session.ask({"singles": 3}, _LIMIT)["latencies_ms"] == [2.0] * 3
        started = psutil.Process().children(recursive=True)
        assert len(started) >= 3  # two workers and the client
    assert not psutil.wait_procs(started, timeout=_LIMIT)[1]


def test_garbage_is_quoted(program: Callable[[str], list[str]]) -> None:
    text = _GOOD.replace("print(json.dumps(answer), flush=True)", "print('Traceback?', flush=True)")
    assert _refused(program(text)) == "said 'Traceback?', which is no answer"


def test_a_death_is_told_with_the_last_words(program: Callable[[str], list[str]]) -> None:
    text = _GOOD.replace("asked = json.loads(line)", "raise ValueError('no such queue')")
    assert _refused(program(text)) == "ended (1): ValueError: no such queue"


def test_a_kill_is_told_by_its_signal(program: Callable[[str], list[str]]) -> None:
    text = _GOOD.replace("asked = json.loads(line)", "import os; os.kill(os.getpid(), 9)")
    assert _refused(program(text)) == "was killed (SIGKILL)"


def test_a_hang_is_ended(program: Callable[[str], list[str]]) -> None:
    text = _GOOD.replace("asked = json.loads(line)", "time.sleep(600)")
    assert _refused(program(text), limit=0.3) == "did not answer within 0.3 s"


def test_a_failed_preparation_hides_the_password(program: Callable[[str], list[str]]) -> None:
    text = """
        import json, sys
        sys.exit("cannot reach " + json.loads(sys.stdin.readline())["dsn"])
    """
    line = _refused(program(text))
    assert line.startswith("ended (1): cannot reach postgresql://someone:")
    assert "secret" not in line


def test_a_program_does_not_outlive_the_bench(
    program: Callable[[str], list[str]], tmp_path: Path
) -> None:
    command_line = program("import time; print('{}', flush=True); time.sleep(600)")
    script = (
        "import sys, time; from pathlib import Path; from bench.peers.program import Program;"
        f"p = Program({command_line!r}, {{}}, Path({str(tmp_path / 'log')!r}));"
        "p.hear(60); print('ready', flush=True); time.sleep(600)"
    )
    bench = subprocess.Popen(
        [sys.executable, "-c", script], cwd=_REPOSITORY, stdout=subprocess.PIPE, text=True
    )
    assert bench.stdout is not None
    with bench, bench.stdout:
        assert bench.stdout.readline() == "ready\n"
        (child,) = psutil.Process(bench.pid).children()
        bench.send_signal(signal.SIGKILL)
    assert not psutil.wait_procs([child], timeout=_LIMIT)[1]


def test_output_in_pieces_is_one_answer(
    program: Callable[[str], list[str]], tmp_path: Path
) -> None:
    text = """
        import sys, time
        sys.stdin.readline()
        for piece in ('{"a"', ': 1}\\n{"b": 2', '}\\n'):
            print(piece, end="", flush=True)
            time.sleep(0.05)
    """
    with Program(program(text), {}, tmp_path / "log") as process:
        assert [process.hear(_LIMIT), process.hear(_LIMIT)] == [{"a": 1}, {"b": 2}]


def test_a_banner_is_no_answer_and_wrong_results_are_counted(
    program: Callable[[str], list[str]], tmp_path: Path
) -> None:
    text = f"""
        import sys
        sys.path.insert(0, {str(_REPOSITORY)!r})
        from bench.peers.conversation import EXPECTED, play

        class Engine:
            def __init__(self, settings):
                print("hello from an engine")
                print("and from Celery", file=sys.__stdout__, flush=True)
            def submit(self, count):
                return count
            def wait(self, submitted):
                return submitted
            def results(self, ended):
                return [EXPECTED] * (ended - 1)
            def single(self):
                return EXPECTED

        play({{}}, Engine, ["msgspec"])
    """
    settings = {"dsn": "", "socket": "", "cores": 1}
    with Program([*program(text), "client"], settings, tmp_path / "log") as process:
        assert process.hear(_LIMIT)["versions"].keys() == {"msgspec"}
        assert process.ask({"run": 4}, _LIMIT)["wrong"] == 1
        answer = process.ask({"singles": 2}, _LIMIT)
    assert (answer["wrong"], len(answer["latencies_ms"])) == (0, 2)


class Steady:
    """An engine with 100 tasks a second; `wrong` of each answer's results are wrong."""

    versions: dict[str, str] = {}  # noqa: RUF012

    def __init__(self, wrong: int = 0) -> None:
        self._wrong = wrong
        self.asked: list[dict[str, int]] = []

    def crowd(self) -> None:
        self.asked.append({})

    def ask(self, question: dict[str, int], _: float) -> dict[str, Any]:
        self.asked.append(question)
        count = question.get("run", 0)
        latencies = [3.0] * question.get("singles", 0)
        return {
            "seconds": count / 100,
            "submit_seconds": count / 1000,
            "latencies_ms": latencies,
            "wrong": self._wrong,
        }


@pytest.fixture
def no_database(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def nothing(config: Config, _: str = "") -> Iterator[Any]:
        yield config, {"server_version": "0"}

    monkeypatch.setattr(run, "open_database", nothing)
    monkeypatch.setattr(run, "bench_database", nothing)


def _contender(name: str, engine: Any) -> Any:
    @contextmanager
    def opened(_: Config) -> Iterator[Any]:
        yield engine

    return OWN._replace(name=name, open=opened)


def _measure_fakes(
    sizes: Sizes, own: Any, *others: Any, console: Console | None = None
) -> tuple[Document, dict[str, Series]]:
    """Measured with `own` in place of ours; the series by name."""
    document = Document("peers", "2026-01-01T00:00:00+00:00")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(run, "OWN", _contender("tasker-mp", own))
        run.measure_peers(_config(), others, sizes, console or Console(quiet=True), document)
    return document, {series.name: series for series in document.series}


@pytest.mark.usefixtures("no_database")
def test_rounds_interleave_and_count_so_that_a_run_takes_its_seconds() -> None:
    own, other = Steady(), Steady()
    document, series = _measure_fakes(Sizes(2, 4.0, 7), own, _contender("other", other))
    assert (document.problems, document.interrupted) == ([], False)
    assert series["other: linear"].samples == [400.0, 400.0]
    assert series["tasker-mp: p50 alone"].samples == [3.0, 3.0]
    assert series["other: p99 alone"].better == "lower"
    assert series["linear by the best peer's"].samples == [1.0, 1.0]
    assert series["p50 alone by the best peer's"].samples == [1.0, 1.0]
    assert {"singles": 7} in other.asked
    assert other.asked.index({"singles": 7}) < other.asked.index({})  # alone, then in a crowd
    engines, settings = document.tables
    assert [row[:6] for row in engines.rows] == [
        ["tasker-mp", 400.0, 0.0, 3.0, 3.0, 800],
        ["other", 400.0, 0.0, 3.0, 3.0, 800],
    ]
    assert engines.rows[1][-1] == OWN.durability
    assert settings.rows[1] == ["other", OWN.settings]
    assert "| other: linear | steps/s | 400 |" in page(document)


@pytest.mark.usefixtures("no_database")
def test_who_fails_is_one_line_and_not_in_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    contenders = (_contender("wrong", Steady(wrong=2)), _contender("good", Steady()))
    document, series = _measure_fakes(Sizes(2, 1.0, 3), Steady(), *contenders, console=Console())
    assert [row[0] for row in document.tables[0].rows] == ["tasker-mp", "good"]
    assert not [name for name in series if name.startswith("wrong")]
    assert document.problems == ["wrong: 2 of 5 results are wrong"]
    assert capsys.readouterr().out.count("error: wrong: 2 of 5 results are wrong") == 1


@pytest.mark.usefixtures("no_database")
def test_an_interruption_keeps_the_rounds_that_were_complete() -> None:
    class Interrupted(Steady):
        def crowd(self) -> None:
            raise KeyboardInterrupt

    document, series = _measure_fakes(Sizes(2, 1.0, 3), Steady(), _contender("late", Interrupted()))
    assert document.interrupted
    assert set(series) == {f"tasker-mp: {what}" for what in ("linear", "p50 alone", "p99 alone")}
    assert "Partial" in page(document)


def _rounds(name: str, *rounds: tuple[float, float]) -> Samples:
    """An engine's, each of steps a second and a latency."""
    samples = Samples(OWN._replace(name=name))
    for rate, latency in rounds:
        samples.add({"latencies_ms": [latency], "tasks": 100, "seconds": 400 / rate})
    return samples


def test_ours_is_held_against_the_peer_that_is_best_at_each() -> None:
    own = _rounds("tasker-mp", (1000, 1.0), (2400, 2.0))
    fast = _rounds("fast", (100, 9.0), (200, 9.0))
    soon = _rounds("soon", (50, 4.0), (60, 5.0))
    throughput, latency = ratios(own, [fast, soon])
    assert (throughput.samples, throughput.goal) == ([10.0, 12.0], 12.0)
    assert "fast" in throughput.note
    assert (latency.samples, latency.goal, latency.better) == ([0.25, 0.4], 0.5, "lower")
    assert "soon" in latency.note


def test_without_ours_or_without_peers_there_is_no_ratio() -> None:
    some = _rounds("some", (100, 1.0))
    assert ratios(Samples(OWN), [some]) == []
    assert ratios(some, []) == []


def test_an_unknown_peer_is_named_with_those_that_there_are() -> None:
    result = CliRunner().invoke(command.peers, ["--peer", "sidekiq"])
    assert result.exit_code == 2
    assert "'sidekiq'" in result.output
    assert "procrastinate" in result.output


def test_a_missing_environment_and_a_missing_redis_are_a_line_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[str, str]] = []

    def tell(name: str, why: str) -> None:
        told.append((name, why))

    monkeypatch.setattr(run, "FOLDER", tmp_path)
    celery, absurd = PEERS["celery"], PEERS["absurd"]
    assert ready([celery, absurd], tell) == []
    line = "not installed: run python -m bench peers --install"
    assert told == [("celery", line), ("absurd", line)]
    for peer in (celery, absurd):
        _pretend_installed(peer, tmp_path)
    told.clear()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert [each.name for each in ready([celery, absurd], tell)] == ["absurd"]
    line = "no redis-server on the PATH: install the system's redis package"
    assert told == [("celery", line)]


def _pretend_installed(peer: Peer, folder: Path) -> None:
    stamp = folder / peer.environment / "installed"
    stamp.parent.mkdir()
    stamp.write_text("\n".join(peer.requirements))


def test_an_environment_with_other_requirements_is_not_installed(tmp_path: Path) -> None:
    peer = PEERS["dbos"]
    _pretend_installed(peer, tmp_path)
    assert Environment(peer, tmp_path).is_installed()
    newer = replace(peer, requirements=("dbos>=99",))
    assert not Environment(newer, tmp_path).is_installed()


@pytest.mark.parametrize(
    ("conninfo", "url"),
    [
        ("host=/a/b port=5 user=me dbname=x", "postgresql://me@/x?host=%2Fa%2Fb&port=5"),
        ("postgresql://me:p%40ss@h:7/x", "postgresql://me:p%40ss@/x?host=h&port=7"),
    ],
)
def test_a_dsn_is_given_as_a_url(conninfo: str, url: str) -> None:
    assert url_of(conninfo) == url


@pytest.mark.long
def test_ours_is_measured_where_no_peer_is_installed(database: str, tmp_path: Path) -> None:
    """The whole command, without the network."""
    document = _measured(database, tmp_path)
    series = {each.name: each for each in document.series}
    (rate,) = series["tasker-mp: linear"].samples
    (p50,), (p99,) = (series[f"tasker-mp: {p} alone"].samples for p in ("p50", "p99"))
    assert rate > 0
    assert 0 < p50 <= p99
    assert document.problems == []
    line = "not installed: run python -m bench peers --install"
    assert document.tables[-1].rows == [["dbos", line], ["celery", line]]


def _measured(dsn: str, empty: Path) -> Document:
    script = (
        f"from pathlib import Path; from bench.peers import run; run.FOLDER = Path({str(empty)!r});"
        "from bench.__main__ import main; main()"
    )
    sizes = ["--rounds", "1", "--seconds", "0.1", "--singles", "3", "--json"]
    done = subprocess.run(
        [sys.executable, "-c", script, "peers", "--peer", "dbos", "--peer", "celery", *sizes],
        cwd=_REPOSITORY,
        env=os.environ | {"TASKER_MP_DATABASE__URL": dsn},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "dbos: not installed" in done.stderr
    return decode_document(done.stdout)
