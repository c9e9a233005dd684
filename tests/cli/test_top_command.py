"""`top` without a terminal: one frame, or documents."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from conftest import Project
from rich.cells import cell_len
from top_scenes import snapshot

from tasker_mp.cli.top.history import History
from tasker_mp.snapshot import Durations, Snapshot, StageSnapshot
from tasker_mp.status_page import StatusPageWriter
from tasker_mp.usage import process_stat

NOBODY = "no supervisor is running"


def write_page(root: Path) -> None:
    """As if the test's own process were the supervisor."""
    run = root / ".tasker" / "run"
    run.mkdir(parents=True)
    stat = process_stat(os.getpid())
    assert stat is not None
    told: Snapshot = snapshot(pid=os.getpid(), start_ticks=stat.start_ticks)
    page = StatusPageWriter(run / "status.page")
    page.write(msgspec.json.encode(told))
    page.close()


def test_nobody_to_watch(project: Project) -> None:
    project.run("top", "--once").failed(3, NOBODY, "tasker-mp start")
    done = project.run("top", "--once", "--json")
    assert (done.code, done.document["error"][:24]) == (3, NOBODY)
    assert done.document["running"] is False


@pytest.mark.parametrize(("columns", "width"), [(None, 100), ("72", 72)])
def test_one_frame_without_colour(project: Project, columns: str | None, width: int) -> None:
    write_page(project.root)
    variables = {"COLUMNS": columns} if columns else {}
    done = project.run("top", "--once", LC_ALL="C.UTF-8", **variables).succeeded()
    assert "\x1b" not in done.out
    assert {cell_len(line) for line in done.out.splitlines()} == {width}
    for expected in ("pipeline", "process_payment", "order_fulfillment", "bottleneck: run"):
        assert expected in done.out


def test_one_frame_in_ascii(project: Project) -> None:
    write_page(project.root)
    done = project.run("top", "--once", PYTHONIOENCODING="ascii").succeeded()
    assert done.out.isascii()
    assert "--- pipeline" in done.out or "- pipeline -" in done.out


def test_one_document(project: Project) -> None:
    write_page(project.root)
    document = project.run("top", "--once", "--json").succeeded().document
    assert document["running"] is True
    assert document["bottleneck"]["stage"] == "run"
    assert document["pipeline"]["ring"]["depth"] == 812
    assert document["pipeline"]["run"]["steps_per_second"] == 1229.0
    assert len(document["workers"]) == 4


def test_a_stream_of_documents(project: Project) -> None:
    """A line each, whoever runs or not; the end of its reader is no error to tell."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tasker_mp", "top", "--json", "--refresh", "0.1"],
        cwd=project.root,
        env=project.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert json.loads(process.stdout.readline())["running"] is False
        write_page(project.root)
        found = [json.loads(process.stdout.readline()) for _ in range(20)]
        assert found[-1]["running"] is True
        process.send_signal(signal.SIGINT)
        process.stdout.read()
        assert process.stderr.read().strip() == "interrupted"
    assert process.returncode == 130


def test_no_terminal_to_draw_on(project: Project) -> None:
    project.run("top").failed(2, "not a terminal", "--once")
    project.run("start", "--top").failed(2, "not a terminal", "--top")


@pytest.mark.parametrize("refresh", ["0", "-1", "soon", "nan"])
def test_a_wrong_refresh_is_refused(project: Project, refresh: str) -> None:
    project.run("top", "--refresh", refresh).failed(2, "refresh")


def test_a_page_of_another_version_is_told(project: Project) -> None:
    write_page(project.root)
    (project.root / ".tasker/run/status.page").write_bytes(b"not a page")
    project.run("top", "--once").failed(1, "status.page")


# -- what sparklines show -------------------------------------------------------------------------


def sampled(seconds: float, committed: int, microseconds: int = 0, pid: int = 1) -> Snapshot:
    stages = {
        "run": StageSnapshot(0, 0, Durations([], microseconds)),
        "commit": StageSnapshot(committed, 0, Durations()),
    }
    return msgspec.structs.replace(
        snapshot(), pid=pid, written_ns=round(seconds * 1e9), stages=stages
    )


def test_history_is_of_two_minutes() -> None:
    history = History()
    for second in range(300):
        history.add(sampled(1000 + second, 10 * second, 50_000 * second))
    assert history.throughput(60) == [10.0] * 60
    assert history.latency(60) == [5.0] * 60


def test_what_is_past_does_not_move() -> None:
    history = History()
    for second in range(120):
        history.add(sampled(1200 + second, second * second))
    before = history.throughput(40)
    history.add(sampled(1320.5, 120 * 120))
    assert history.throughput(40)[:-2] == before[1:-1]


def test_nothing_observed_is_not_nothing_done() -> None:
    history = History()
    history.add(sampled(1000, 5))
    assert history.throughput(4) == [None] * 4
    history.add(sampled(1001, 5))
    assert history.throughput(4)[-1] == 0.0
    assert history.latency(4) == [None] * 4


def test_a_slow_refresh_leaves_no_holes() -> None:
    history = History()
    for second in range(0, 200, 7):
        history.add(sampled(1000 + second, 10 * second))
    assert history.throughput(120)[-100:] == [10.0] * 100


def test_another_supervisor_begins_anew() -> None:
    history = History()
    for second in range(5):
        history.add(sampled(1000 + second, 100 * second))
    history.add(sampled(1006, 3, pid=2))
    assert history.throughput(120) == [None] * 120
