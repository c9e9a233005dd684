"""`task list` with its filters, `task show` and `--watch`, as a user runs them."""

import os
import pty
import select
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from conftest import Project

from tasker_mp.client.client import Client
from tasker_mp.client.submission import Submission
from tasker_mp.client.task_filter import TaskFilter

LINEAR = "linear_workflow/mathematical_sequence"
SIX = ("--context", '{"even_number": 6}')
SEVEN = ("--context", '{"even_number": 7}')


def test_tasks_are_filtered_by_everything_one_knows_of_them(called: Project) -> None:
    assert called.dsn is not None
    case, hour = UUID(int=77), timedelta(hours=1)

    def one(namespace: str, name: str, **details: Any) -> Submission:
        context = {"even_number": 6}
        return Submission(namespace=namespace, name=name, context=context, **details)

    linear = called.run("submit", LINEAR, *SIX).succeeded().out.strip()  # registers the templates
    with Client(called.dsn) as client:
        diamond = ("diamond_workflow", "diamond_pattern")
        many = [one(*diamond, tags=["red", "blue"]), one(*diamond, correlation_id=case)]
        blue, in_case = map(str, client.submit_many(many))

        def found(**filters: Any) -> list[str]:
            return [str(task.uuid) for task in client.list_tasks(where=TaskFilter(**filters))]

        assert found() == [in_case, blue, linear]
        assert found(tag="blue") == [blue]
        assert found(correlation_id=case) == [in_case]
        assert found(correlation_id=UUID(blue)) == [blue]
        assert found(name="diamond_pattern") == [in_case, blue]
        assert found(name="diamond_pattern", version="9.9.9") == []
        assert found(namespace="linear_workflow") == [linear]
        assert found(state="complete") == []
        assert len(found(since=datetime.now(UTC) - hour)) == 3
        assert found(until=datetime.now(UTC) - hour) == []
    choice = ("--tag", "blue", "--template", "/".join(diamond), "--since", "1h", "--until", "0s")
    document = called.run("task", "list", *choice, "--json").succeeded().document
    assert [task["uuid"] for task in document["tasks"]] == [blue]
    assert document["counts"] == {"pending": 1}
    people = called.run("task", "list", "--tag", "blue", "--state", "error").succeeded()
    assert "1 pending; shown: 0" in people.err
    assert "newest" not in people.err
    called.run("task", "list", "--since", "yesterday").failed(2, "'yesterday'", "7d")
    called.run("task", "list", "--stale", "--tag", "x").failed(2, "--tag", "--stale")


def test_only_so_many_tasks_are_looked_through(called: Project) -> None:
    assert called.dsn is not None
    called.run("submit", LINEAR, *SIX, "--count", "5").succeeded()
    with Client(called.dsn) as client:
        where = TaskFilter(state="pending")
        assert len(client.list_tasks(where=where, scan=3)) == 3
        counts = client.summarize_tasks(where, 3)
        assert (counts.states, counts.passed, counts.all) == ({"pending": 3}, 3, False)
        assert client.summarize_tasks(where, 6).all


def test_a_task_is_drawn_with_its_failure(called: Project) -> None:
    with called.supervisor():
        done = called.run("submit", LINEAR, *SEVEN, "--wait", "--json")
        assert done.code == 1
        uuid = done.document["uuid"]
    shown = called.run("task", "show", uuid).succeeded().out
    assert "│ linear_step_2 │" in shown
    [line] = [line for line in shown.splitlines() if "│" in line and "error · " in line]
    assert "ms" in line
    assert "even_number" in shown


def test_a_task_is_followed_without_a_terminal_to_its_end(called: Project) -> None:
    with called.supervisor():
        good = called.run("submit", LINEAR, *SIX).succeeded().out.strip()
        followed = called.run("task", "show", good, "--watch").succeeded()
        bad = called.run("submit", LINEAR, *SEVEN).succeeded().out.strip()
        failure = called.run("task", "show", bad, "--watch")
    told = followed.out.splitlines()
    assert sum("linear_step_4  complete" in line for line in told) == 1
    assert told[-1].endswith(f"task {good} complete")
    assert failure.code == 1
    assert f"task {bad} failed at linear_step_1" in failure.err
    again = called.run("task", "show", good, "--watch", "--json").succeeded().document
    assert again["state"] == "complete"


@pytest.mark.skipif(not hasattr(pty, "fork"), reason="needs a terminal")
def test_a_task_is_followed_on_a_terminal_and_the_cursor_comes_back(called: Project) -> None:
    uuid = called.run("submit", LINEAR, *SIX).succeeded().out.strip()
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "tasker_mp", "task", "show", uuid, "--watch"],
        cwd=called.root,
        env=called.environment(TERM="xterm-256color", COLUMNS="100", LINES="40"),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    screen = _read_until(ours, "linear_step_4", b"")
    with called.supervisor():
        screen = _read_until(ours, "4 of 4 steps over", screen)
        assert process.wait(60) == 0
    screen = _read_until(ours, None, screen)
    os.close(ours)
    assert screen.rindex(b"\x1b[?25h") > screen.rindex(b"\x1b[?25l")


def _read_until(terminal: int, text: str | None, screen: bytes) -> bytes:
    """What it shows, until `text` is there or, without one, nothing more comes."""
    limit = time.monotonic() + 60
    while text is None or text.encode() not in screen:
        assert time.monotonic() < limit, screen
        if not select.select([terminal], [], [], 1.0)[0]:
            if text is None:
                break
            continue
        try:
            screen += os.read(terminal, 1 << 16)
        except OSError:  # its other end is closed
            break
    return screen


def test_the_level_of_the_log_is_set_while_it_runs(called: Project) -> None:
    called.run("log-level", "debug").failed(3, "tasker-mp start")
    with called.supervisor():
        done = called.run("log-level", "error", "--json").succeeded()
        assert done.document["ok"] is True
    called.run("log-level", "loud").failed(2, "loud", "debug")
