"""What handlers say comes out as whole lines that name the step, and a flood hurts nobody."""

import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from engine_project import ProjectFolder, Running, eventually

from tasker_mp.control import Command, ask
from tasker_mp.engine.runtime import RuntimeDirectory

_TALKERS = Path(__file__).with_name("talkers.py.txt")
_JSON = {"logging__level": "info", "logging__format": "json"}


class Log:
    """The lines of a supervisor's standard error, a pipe that is read all the time."""

    def __init__(self) -> None:
        self.text = b""

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]

    def saying(self, text: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["event"] == text]

    def await_line(self, text: str) -> dict[str, Any]:
        found: dict[str, Any] = eventually(lambda: self.saying(text), what=text)[0]
        return found


@contextmanager
def stderr_read(log: Log) -> Iterator[Callable[[], None]]:
    """Descriptor 2 is a pipe into `log`; what is given stops and resumes its reader."""
    out, into = os.pipe()
    reading = threading.Event()
    reading.set()

    def read() -> None:
        while block := os.read(out, 1 << 16):
            log.text += block
            reading.wait()

    reader = threading.Thread(target=read)
    reader.start()
    before = os.dup(2)
    os.dup2(into, 2)
    os.close(into)
    try:
        yield lambda: reading.clear() if reading.is_set() else reading.set()
    finally:
        os.dup2(before, 2)
        os.close(before)
        reading.set()
        reader.join()
        os.close(out)


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def talking(folder: ProjectFolder) -> ProjectFolder:
    (folder.root / "handlers" / "talkers.py").write_text(_TALKERS.read_text())
    folder.template("call")
    return folder


def template(folder: ProjectFolder, method: str, **keys: Any) -> None:
    handler = {"callable": "handlers.talkers.Talkers", "method": method}
    retry = {"max_attempts": 1}
    folder.template(method, {"name": method, "handler": handler, "retry": retry} | keys)


def test_all_that_a_handler_says_names_its_step(talking: ProjectFolder, log: Log) -> None:
    template(talking, "talks")
    with stderr_read(log), talking.running(**_JSON) as running:
        [task] = running.run("talks")
        log.await_line("with a traceback")
        worker_id = running.status()["worker_id"]
    said = {line["event"]: line for line in log.lines if "step" in line}
    levels = {text: line["level"] for text, line in said.items()}
    assert levels == {
        f"by the logger of {task.uuid}": "info",
        "by a library": "warning",
        "printed on stdout": "info",
        "printed on stderr": "warning",
        "without an end": "info",
        "with a traceback": "error",
        "by a thread": "info",
    }
    for line in said.values():
        assert (line["task"], line["step"], line["attempt"]) == (str(task.uuid), "talks", 1)
        assert line["correlation_id"] == str(task.uuid)
        assert line["trace_id"] == task.uuid.hex
        assert len(line["span_id"]) == 16
        assert line["step_uuid"] == str(task.steps[0].uuid)
        assert line["worker_id"] == worker_id
    by_logger = said[f"by the logger of {task.uuid}"]
    assert (by_logger["logger"], by_logger["order"]) == ("handlers.talkers.Talkers", 7)
    assert "ValueError: seen" in said["with a traceback"]["exception"]
    assert said["printed on stdout"]["stream"] == "stdout"
    assert log.saying("ready")[0]["worker_id"] == worker_id


def test_what_is_written_past_python_names_the_worker_and_its_step(
    talking: ProjectFolder, log: Log
) -> None:
    template(talking, "talks_past_python")
    template(talking, "last_words")
    with stderr_read(log), talking.running(**_JSON, worker__count=1) as running:
        [task] = running.run("talks_past_python")
        for text in ("written raw", "put by C", "to our stdout"):
            line = log.await_line(text)
            assert (line["task"], line["step"]) == (str(task.uuid), "talks_past_python")
            assert (line["stream"], line["level"], line["worker"]) == ("stdout", "info", 0)
        assert log.await_line("by a program")["stream"] == "stderr"
        [dead] = running.run("last_words")
        line = log.await_line("farewell")
        assert (line["task"], line["step"]) == (str(dead.uuid), "last_words")


def test_a_flood_of_lines_is_cut_and_counted_and_hurts_nobody(
    talking: ProjectFolder, log: Log
) -> None:
    template(talking, "floods")
    with stderr_read(log), talking.running(**_JSON, worker__count=1) as running:
        [flood] = running.submit("floods", lines=20_000)
        assert {t.state for t in running.run("call", 20)} == {"complete"}
        assert running.wait([flood])[0].state == "complete"
        eventually(lambda: _lines_in_all(log, "flood ") == 20_000, what="all lines accounted for")
    shown = [line for line in log.lines if line["event"].startswith("flood ")]
    assert 3 <= len(shown) < 10_000
    assert [line["event"] for line in shown[:3]] == ["flood 0", "flood 1", "flood 2"]


def test_a_flood_past_python_is_cut_and_counted_and_hurts_nobody(
    talking: ProjectFolder, log: Log
) -> None:
    template(talking, "floods_past_python")
    with stderr_read(log), talking.running(**_JSON) as running:
        [flood] = running.submit("floods_past_python", megabytes=30)
        assert {t.state for t in running.run("call", 50)} == {"complete"}
        assert running.wait([flood])[0].state == "complete"
        eventually(lambda: _lines_in_all(log, "x") == 300_000, what="all lines accounted for")
    assert len(log.text) < 6_000_000


def _lines_in_all(log: Log, start: str) -> int:
    """Shown, and told to be dropped."""
    lines = log.text[: log.text.rfind(b"\n") + 1].splitlines()
    documents = [json.loads(line) for line in lines]
    dropped = sum(d["lines"] for d in documents if "dropped: " in d["event"])
    return dropped + sum(d["event"].startswith(start) for d in documents)


def test_a_log_that_nobody_reads_holds_up_nobody(talking: ProjectFolder, log: Log) -> None:
    template(talking, "floods")
    with stderr_read(log) as toggle, talking.running(**_JSON) as running:
        toggle()
        tasks = running.run("floods", 10, lines=900)
        assert {t.state for t in tasks} == {"complete"}
        toggle()

        def said() -> bool:  # by the next line that finds room
            running.run("floods", lines=1)
            return bool(log.saying("lines of the log dropped: nobody read them"))

        eventually(said)
    assert all(log.lines), "every line is whole"


def test_lines_of_many_workers_never_mix(talking: ProjectFolder, log: Log) -> None:
    template(talking, "long_lines")
    with stderr_read(log), talking.running(**_JSON, worker__count=3) as running:
        running.run("long_lines", 9, lines=50)
    for line in log.lines:
        if line.get("stream"):
            pid, _, filling = line["event"].split(":")
            assert (int(pid), filling) == (line["pid"], "y" * 3000)


def test_the_level_changes_while_it_runs(talking: ProjectFolder, log: Log) -> None:
    template(talking, "by_level")
    with stderr_read(log), talking.running(**_JSON, worker__count=1) as running:
        for n, level in enumerate(("debug", "error", "info")):
            _set_level(running, level)
            running.run("by_level", n=n)
    said = [line["event"] for line in log.lines if line.get("step") == "by_level"]
    assert said == ["debug in 0", "warning in 0", "warning in 2"]


def _set_level(running: Running, level: str) -> None:

    socket = RuntimeDirectory(running.folder.root).control_socket
    assert ask(socket, Command("log_level", level=level))["ok"]


def test_logging_in_a_signal_handler_never_deadlocks(talking: ProjectFolder, log: Log) -> None:
    template(talking, "in_a_signal_handler", timeout_seconds=10)
    with stderr_read(log), talking.running(**_JSON, worker__count=1) as running:
        [task] = running.run("in_a_signal_handler")
    assert task.state == "complete"
    assert task.results["in_a_signal_handler"]["interrupted"] > 50
    said = {line["event"] for line in log.lines if line.get("step") == "in_a_signal_handler"}
    assert said - {"output dropped: too many lines"} == {
        "from the handler",
        "from the signal handler",
        "printed in the handler",
        "printed in the signal handler",
    }


def test_people_get_the_short_form(talking: ProjectFolder, log: Log) -> None:
    template(talking, "talks")
    with stderr_read(log), talking.running(logging__level="info") as running:
        [task] = running.run("talks")
        eventually(lambda: b"with a traceback" in log.text)
    [line] = [line for line in log.text.decode().splitlines() if "printed on stdout" in line]
    assert "info     printed on stdout  worker_id=" in line
    assert f"task={task.uuid} step=talks stream=stdout" in line
    assert "\x1b" not in log.text.decode()
    assert b"\nValueError: seen\n" in log.text
