"""A line of the log: what it holds, how long it is, and that it is never waited for."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tasker_mp.log_budget import Budget
from tasker_mp.log_line import LINE_BYTES, console_line, json_line, renderer
from tasker_mp.log_outlet import Outlet

AT = 1_767_225_600.25


class _Rude:
    def __str__(self) -> str:
        raise RuntimeError("no")


def test_a_line_for_machines_is_one_document() -> None:
    line = json_line(AT, "info", "two\nlines", {"n": 2**70, "text": "ü", "object": {1, 2}})
    assert line.count(b"\n") == 1
    document = json.loads(line)
    assert document == {
        "timestamp": "2026-01-01T00:00:00.250Z",
        "level": "info",
        "event": "two\nlines",
        "n": 2**70,
        "text": "ü",
        "object": document["object"],
    }


def test_a_line_for_people_has_its_fields_and_below_it_the_traceback() -> None:
    fields = {"step": "a b", "n": 7, "exception": "Traceback\nValueError: x"}
    assert console_line(AT, "warning", "happened", fields) == (
        b'2026-01-01T00:00:00.250Z warning  happened  step="a b" n=7\nTraceback\nValueError: x\n'
    )


@pytest.mark.parametrize("form", ["json", "console"])
@pytest.mark.parametrize(
    ("event", "fields"),
    [
        ("x" * 100_000, {}),
        ("ü" * 5000, {}),
        ("\x00" * 5000, {}),
        ("e", {"exception": "frame\n" * 9999 + "ValueError: last"}),
        ("e", {f"f{n}": "y" * 50 for n in range(500)}),
        ("\ud800", {"\ud800": "\ud800"}),
        ("e", {"rude": _Rude()}),
        ("e", {"many": list(range(10_000))}),
    ],
)
def test_whatever_is_said_a_line_is_whole_and_short(
    form: str, event: str, fields: dict[str, Any]
) -> None:
    line = renderer(form)(AT, "info", event, fields)
    assert len(line) <= LINE_BYTES
    assert line.endswith(b"\n")
    line.decode()
    if form == "json":
        assert json.loads(line)["level"] == "info"
    if "exception" in fields:
        assert b"ValueError: last" in line, "the end of a traceback tells most"


def test_what_is_printed_cannot_redraw_a_terminal() -> None:
    line = console_line(AT, "info", "\x1b[2J\rgone\x9b", {"a": "\x1b]0;title\x07"})
    assert not set(line) & {0x1B, 0x0D, 0x07}
    assert "\x9b" not in line.decode()


def test_so_many_lines_a_second_and_the_others_are_counted() -> None:
    budget = Budget(3)
    assert [budget.allows(100.0 + n / 10) for n in range(5)] == [True] * 3 + [False] * 2
    assert budget.take_dropped() == 2
    assert [budget.allows(101.0 + n / 10) for n in range(4)] == [True] * 3 + [False]
    assert budget.allows(200.0)
    assert budget.take_dropped() == 1


# -- where it goes --------------------------------------------------------------------------------


def told(count: int) -> bytes:
    return b"%d dropped\n" % count


@contextmanager
def pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    yield reader, writer
    os.close(reader)
    os.close(writer)


def fill(outlet: Outlet) -> int:
    """How many lines it took before it took no more."""
    count = 0
    while outlet.write(b"y" * 99 + b"\n"):
        count += 1
        assert count < 100_000
    return count


@pytest.mark.parametrize("reopened", [True, False], ids=["opened anew", "as it is"])
def test_a_pipe_that_nobody_reads_is_not_waited_for(
    reopened: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not reopened:

        def refuse(*_: Any) -> int:
            raise PermissionError

        monkeypatch.setattr(os, "open", refuse)
    with pipe() as (reader, writer):
        outlet = Outlet(told, writer)
        taken = fill(outlet)
        assert taken > 10
        assert not outlet.write(b"z" * 4095 + b"\n")
        assert os.get_blocking(writer), "what is shared with others stays as it was"
        read = os.read(reader, 1 << 17)
        assert outlet.write(b"again\n")
        lines = (read + os.read(reader, 1 << 17)).splitlines()
        assert lines.count(b"y" * 99) == taken
        assert lines[-1] == b"again"
        assert sum(int(line.split()[0]) for line in lines if line.endswith(b"dropped")) == 2
        outlet.close()


def test_a_socket_that_nobody_reads_is_not_waited_for() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        outlet = Outlet(told, ours.fileno())
        assert fill(outlet) > 10
        assert ours.getblocking()
        outlet.close()


def test_a_closed_place_is_no_error() -> None:
    reader, writer = os.pipe()
    outlet = Outlet(told, writer)
    os.close(reader)
    os.close(writer)
    assert not outlet.write(b"gone\n")
    outlet.close()


_INTERRUPTED = """
import signal, sys, time, structlog
from tasker_mp.config.model import LoggingConfig
from tasker_mp.logs import configure_logging
configure_logging(LoggingConfig(format="json"))
log = structlog.get_logger()
signal.signal(signal.SIGALRM, lambda *_: log.info("from the signal handler"))
signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
until = time.monotonic() + 0.4
while time.monotonic() < until:
    log.info("from the program")
signal.setitimer(signal.ITIMER_REAL, 0)
"""


def test_a_signal_handler_of_the_supervisor_may_log_at_any_moment() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _INTERRUPTED], stderr=subprocess.PIPE, timeout=60, check=True
    )
    said = [json.loads(line)["event"] for line in done.stderr.splitlines()]
    assert said.count("from the signal handler") > 50
