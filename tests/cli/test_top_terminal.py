"""`top` on a terminal: keys, and the terminal given back however it ends."""

import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from conftest import Project
from top_scenes import IDLE, failures, idle_workers, snapshot
from top_screen import ENTER, Screen, screen

from tasker_mp.snapshot import Snapshot
from tasker_mp.status_page import StatusPageWriter
from tasker_mp.usage import process_stat

TOP = ("-m", "tasker_mp", "top", "--refresh", "0.1")
_STYLES = re.compile(rb"\x1b\[([0-9;]*)m")
STACK = 'Current thread 0x1 (most recent call first):\n  File "handlers/slow.py", line 7 in call'


class Supervisor:
    """The face of one: its page and its socket. It is the process `pid`, this one or a child."""

    def __init__(self, root: Path, pid: int) -> None:
        self._run = root / ".tasker" / "run"
        self._run.mkdir(parents=True)
        stat = process_stat(pid)
        assert stat is not None
        self._self = {"pid": pid, "start_ticks": stat.start_ticks}
        self._page = StatusPageWriter(self._run / "status.page")
        self.asked: list[dict[str, Any]] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self._run / "control.sock"))
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        self.tell(workers=idle_workers(4))

    def tell(self, **changes: Any) -> None:
        """What its page says from now on."""
        now = {"written_at": time.time(), "written_ns": time.monotonic_ns()}
        told: Snapshot = snapshot(IDLE, before=None, **(self._self | now | changes))
        self._page.write(msgspec.json.encode(told))

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with client, client.makefile("rwb") as lines:
                command = json.loads(lines.readline())
                self.asked.append(command)
                answer = {"stack": STACK} if command["command"] == "worker_stack" else {"ok": True}
                lines.write(json.dumps(answer).encode() + b"\n")

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()
        self._page.close()


@pytest.fixture
def supervisor(project: Project) -> Iterator[Supervisor]:
    found = Supervisor(project.root, os.getpid())
    yield found
    found.close()


@contextmanager
def top(
    project: Project, size: tuple[int, int] = (100, 30), *, drain: bool = True, **env: str
) -> Iterator[Screen]:
    with screen(TOP, project.root, project.environment(**env), size, drain=drain) as shown:
        yield shown


def test_keys_look_ask_and_act(project: Project, supervisor: Supervisor) -> None:
    with top(project) as shown:
        shown.shows("example-host-1a2b")
        shown.press("3")
        shown.shows("3 workers")
        shown.press("k")
        shown.shows("choose a worker")
        shown.press("\x1b[B\x1b[Bk")
        shown.shows("kill worker 1 (pid 4001)? [y/N]")
        shown.press("n")
        shown.shows("nothing done")
        shown.press("k")
        shown.shows("kill worker 1 (pid 4001)? [y/N]")
        assert supervisor.asked == []
        shown.press("y")
        shown.shows("worker 1 killed")
        assert supervisor.asked.pop() == {"command": "kill_worker", "worker": 1}

        shown.press("s")
        shown.shows("stack of worker 1")
        shown.shows('File "handlers/slow.py", line 7 in call')
        assert supervisor.asked.pop() == {"command": "worker_stack", "worker": 1}
        shown.press("\x1b")
        shown.shows("3 workers")

        shown.press("p")
        shown.shows("paused: nothing new is claimed")
        assert supervisor.asked.pop() == {"command": "pause"}
        supervisor.tell(state="paused")
        shown.shows("PAUSED")
        shown.press("p")
        shown.until(lambda: supervisor.asked == [{"command": "resume"}], "resumed")

        shown.press("5\x1b[B")
        shown.shows("crashed its worker 3 times")
        shown.press("/validate\r")
        shown.shows("5 failures /validate")
        shown.until(lambda: not any("tree_leaf_d" in r for r in shown.rows().values()), "filtered")
        shown.press("?")
        shown.shows("cancel the chosen")
        shown.press("q")
        shown.shows("5 failures")
        shown.press("q")
        assert shown.ended() == 0
        shown.assert_restored()
        assert shown.said == ""


def test_a_paste_does_not_answer_its_own_question(project: Project, supervisor: Supervisor) -> None:
    with top(project) as shown:
        shown.shows("example-host-1a2b")
        shown.press("dy")
        shown.shows("then stop the supervisor? [y/N]")
        assert supervisor.asked == []
        shown.press("y")
        shown.until(lambda: supervisor.asked == [{"command": "drain"}], "drained")


def test_what_cannot_be_done_is_told(project: Project, supervisor: Supervisor) -> None:
    """The failed step is nowhere, the database neither."""
    supervisor.tell(failures=failures())
    dead = {"TASKER_MP_DATABASE__URL": "postgresql://nobody@127.0.0.1:1/none?connect_timeout=1"}
    with top(project, **dead) as shown:
        shown.shows("example-host-1a2b")
        shown.press("5")
        shown.press("\x1b[B")
        shown.shows("attempt 3")
        shown.press("R")
        shown.shows("127.0.0.1")
        shown.press("c")
        shown.shows("cancel task 01900000-0000-7000-8000-000000000002? [y/N]")
        shown.press("q")
        shown.shows("nothing done")


def _by_key(shown: Screen) -> None:
    shown.press("\x03")


def _by(signum: signal.Signals) -> Callable[[Screen], None]:
    return lambda shown: shown.process.send_signal(signum)


@pytest.mark.parametrize(
    ("end", "code"),
    [
        (_by_key, 130),
        (_by(signal.SIGTERM), 143),
        (_by(signal.SIGHUP), 129),
        (_by(signal.SIGQUIT), 131),
    ],
    ids=["ctrl-c", "term", "hup", "quit"],
)
def test_the_terminal_is_given_back(
    project: Project, supervisor: Supervisor, end: Callable[[Screen], None], code: int
) -> None:
    with top(project) as shown:
        shown.shows("example-host-1a2b")
        end(shown)
        assert shown.ended() == code
        shown.assert_restored()
        assert shown.said.strip() == ("interrupted" if code == 130 else "")


def test_an_error_gives_the_terminal_back(project: Project) -> None:
    raising = "from tasker_mp.cli.top.terminal import Terminal\nwith Terminal(1):\n    1 / 0"
    with screen(("-c", raising), project.root, project.environment()) as shown:
        assert shown.ended() == 1
        shown.assert_restored()
        assert "ZeroDivisionError" in shown.said


def test_a_terminal_that_takes_nothing_does_not_keep_it(
    project: Project, supervisor: Supervisor
) -> None:
    """Its buffer is full before the first frame is drawn."""
    with top(project, (200, 60), drain=False) as shown:
        shown.until(shown.is_full, "it takes no more")
        for columns in range(199, 189, -1):  # each interrupts a write, which begins again
            shown.resize(columns, 60)
            time.sleep(0.01)
        shown.process.send_signal(signal.SIGTERM)
        assert shown.process.wait(10) == 143


def test_a_window_that_closes_ends_it(project: Project, supervisor: Supervisor) -> None:
    with top(project) as shown:
        shown.shows("example-host-1a2b")
        shown.hang_up()
        assert shown.process.wait(10) == 129


def test_a_storm_of_sizes_leaves_a_whole_frame(project: Project, supervisor: Supervisor) -> None:
    generator = random.Random(5)
    with top(project) as shown:
        shown.shows("example-host-1a2b")
        for _ in range(400):
            shown.resize(generator.randrange(1, 250), generator.randrange(1, 80))
            time.sleep(0.001)
        shown.resize(72, 24)
        shown.until(lambda: set(shown.rows()) == set(range(1, 25)), "24 lines")
        shown.until(lambda: {len(row) for row in shown.rows().values()} == {72}, "72 columns")
        shown.shows("1 overview")
        shown.press("q")
        assert shown.ended() == 0
        shown.assert_restored()


def test_a_size_that_comes_back_is_drawn_anew(project: Project, supervisor: Supervisor) -> None:
    """What the terminal dropped meanwhile is not on the screen any more."""
    with top(project) as shown:
        shown.shows("example-host-1a2b")
        before = shown.drawn.count(b"\x1b[2J")
        shown.resize(80, 30)
        shown.resize(100, 30)
        shown.until(lambda: shown.drawn.count(b"\x1b[2J") > before, "a cleared screen")
        shown.shows("1 overview")


def test_a_supervisor_is_waited_for_and_missed(project: Project) -> None:
    with top(project) as shown:
        shown.shows("no supervisor is running here")
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
        supervisor = Supervisor(project.root, child.pid)
        shown.shows("RUNNING")
        child.kill()
        child.communicate()
        shown.shows("the supervisor is gone for")
        shown.shows("GONE")
        supervisor.tell(pid=os.getpid(), start_ticks=_ticks(os.getpid()))
        shown.shows("RUNNING")
        supervisor.close()


def _ticks(pid: int) -> int:
    stat = process_stat(pid)
    assert stat is not None
    return stat.start_ticks


def test_no_colour_where_none_is_wanted(project: Project, supervisor: Supervisor) -> None:
    with top(project, NO_COLOR="1") as shown:
        shown.shows("example-host-1a2b")
        assert ENTER in shown.drawn
        codes = {int(c) for found in _STYLES.findall(shown.drawn) for c in found.split(b";") if c}
        assert codes <= {0, 1, 2, 7}  # bold, dim, reverse


def test_start_with_the_view(served: Project) -> None:
    """The supervisor serves behind it; to leave the view is to stop it, which is asked first."""
    command = ("-m", "tasker_mp", "start", "--top", "--workers", "1")
    told = served.environment(TASKER_MP_LOGGING__LEVEL="info")
    with screen(command, served.root, told, (100, 30)) as shown:
        shown.shows("RUNNING")
        shown.shows("ready namespaces=")
        shown.press("q")
        shown.shows("stop the supervisor?")
        shown.press("n")
        shown.shows("nothing done")
        shown.press("\x03")
        assert shown.ended() == 0
        shown.assert_restored()
        assert "draining" in shown.said


def test_demo_with_the_view(served: Project) -> None:
    command = ("-m", "tasker_mp", "demo", "--tasks", "40", "--workers", "1")
    with screen(command, served.root, served.environment(), (100, 40)) as shown:
        shown.shows("workflow")
        shown.until(lambda: b"200 of 200 tasks right" in shown.drawn, "the result table")
        assert shown.ended() == 0
        shown.assert_restored()
