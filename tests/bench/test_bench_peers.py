"""Peers that are missing, die, hang or talk nonsense are one clear line each; the rest goes on."""

import json
import os
import signal
import subprocess
import sys
import tempfile
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

from bench.peers import command, run
from bench.peers.environments import Environment
from bench.peers.figures import Samples
from bench.peers.own_session import OWN
from bench.peers.page import page
from bench.peers.peer import PEERS, Peer, PeerError
from bench.peers.program import Program
from bench.peers.run import Sizes, ready
from bench.peers.session import PeerSession, peer_session, url_of
from tasker_mp.config import Config, load_config
from tasker_mp.db.embedded import EmbeddedServer

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
    def nothing(config: Config) -> Iterator[Any]:
        yield config, {"server_version": "0"}

    monkeypatch.setattr(run, "open_database", nothing)
    monkeypatch.setattr(run, "bench_database", nothing)


def _contender(name: str, engine: Any) -> Any:
    @contextmanager
    def opened(_: Config) -> Iterator[Any]:
        yield engine

    return OWN._replace(name=name, open=opened)


@pytest.mark.usefixtures("no_database")
def test_rounds_interleave_and_count_so_that_a_run_takes_its_seconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own, other = Steady(), Steady()
    monkeypatch.setattr(run, "OWN", _contender("tasker-mp", own))
    console = Console(quiet=True)
    document = run.measure_peers(_config(), [_contender("other", other)], Sizes(2, 4.0, 7), console)
    assert (document["problems"], document["interrupted"]) == ([], False)
    assert [(row["engine"], row["rounds"], row["tasks"]) for row in document["engines"]] == [
        ("tasker-mp", 2, 800),
        ("other", 2, 800),
    ]
    row = document["engines"][1]
    assert (row["steps_per_second"], row["spread"], row["p50_ms"]) == (400.0, 0.0, 3.0)
    assert (row["times_slower"], row["times_later"]) == (1.0, 1.0)
    assert {"singles": 7} in other.asked
    assert other.asked.index({"singles": 7}) < other.asked.index({})  # alone, then in a crowd
    assert "| other | 400.0 |" in page(document | {"skipped": []})


@pytest.mark.usefixtures("no_database")
def test_who_fails_is_one_line_and_not_in_the_table(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run, "OWN", _contender("tasker-mp", Steady()))
    wrong = _contender("wrong", Steady(wrong=2))
    document = run.measure_peers(
        _config(), [wrong, _contender("good", Steady())], Sizes(2, 1.0, 3), Console()
    )
    assert [row["engine"] for row in document["engines"]] == ["tasker-mp", "good"]
    assert document["problems"] == ["wrong: 2 of 5 results are wrong"]
    assert capsys.readouterr().out.count("error: wrong: 2 of 5 results are wrong") == 1


@pytest.mark.usefixtures("no_database")
def test_an_interruption_keeps_the_rounds_that_were_complete(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Interrupted(Steady):
        def crowd(self) -> None:
            raise KeyboardInterrupt

    monkeypatch.setattr(run, "OWN", _contender("tasker-mp", Steady()))
    late = _contender("late", Interrupted())
    document = run.measure_peers(_config(), [late], Sizes(2, 1.0, 3), Console(quiet=True))
    assert document["interrupted"]
    assert [(row["engine"], row["rounds"]) for row in document["engines"]] == [("tasker-mp", 1)]
    assert "Interrupted" in page(document | {"skipped": []})


def test_without_ours_there_is_no_ratio() -> None:
    other = Samples(OWN)
    other.add(
        {
            "latencies_ms": [1.0],
            "tasks": 100,
            "seconds": 1.0,
            "submit_seconds": 0.1,
            "versions": {},
        }
    )
    row = other.row(Samples(OWN))
    assert (row["steps_per_second"], row["times_slower"], row["times_later"]) == (400.0, None, None)


def test_an_unknown_peer_is_named_with_those_that_there_are() -> None:
    result = CliRunner().invoke(command.peers, ["--peer", "sidekiq"])
    assert result.exit_code == 2
    assert "'sidekiq'" in result.output
    assert "procrastinate" in result.output


def test_a_missing_environment_and_a_missing_redis_are_a_line_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(run, "FOLDER", tmp_path)
    celery, absurd = PEERS["celery"], PEERS["absurd"]
    assert ready([celery, absurd], told.append) == []
    line = "not installed: run python -m bench peers --install"
    assert told == [f"celery: {line}", f"absurd: {line}"]
    for peer in (celery, absurd):
        _pretend_installed(peer, tmp_path)
    told.clear()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert [each.name for each in ready([celery, absurd], told.append)] == ["absurd"]
    assert told == ["celery: no redis-server on the PATH: install the system's redis package"]


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


def test_ours_is_measured_where_no_peer_is_installed(tmp_path: Path) -> None:
    """The whole command, on a server of its own, and without the network."""
    with tempfile.TemporaryDirectory(prefix="tasker-mp-peers-") as name:
        Path(name).chmod(0o711)  # as root, the account of the embedded server passes through
        server = EmbeddedServer(Path(name), settings={"fsync": "off"})
        with server.lease() as dsn:
            document = _measured(dsn, tmp_path)
        server.reset()
    (row,) = document["engines"]
    assert (row["engine"], row["rounds"]) == ("tasker-mp", 1)
    assert row["steps_per_second"] > 0
    assert 0 < row["p50_ms"] <= row["p99_ms"]
    assert document["problems"] == []
    assert document["skipped"] == [
        "dbos: not installed: run python -m bench peers --install",
        "celery: not installed: run python -m bench peers --install",
    ]


def _measured(dsn: str, empty: Path) -> dict[str, Any]:
    script = (
        f"from pathlib import Path; from bench.peers import run; run.FOLDER = Path({str(empty)!r});"
        "from bench.__main__ import main; main()"
    )
    sizes = ["--rounds", "1", "--seconds", "0.1", "--singles", "3", "--json"]
    done = subprocess.run(
        [sys.executable, "-c", script, "peers", "--peer", "dbos", "--peer", "celery", *sizes],
        cwd=_REPOSITORY,
        env=os.environ | {"TASKER__DATABASE__URL": dsn},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "dbos: not installed" in done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document
