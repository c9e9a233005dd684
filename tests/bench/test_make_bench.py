"""`make bench` goes through all commands, and makes a page of what there is, whatever happens."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from bench.__main__ import main

_REPOSITORY = Path(__file__).parents[2]
_LIMIT = 30.0
# In the place of Python: notes the command, fails for some, waits in one to be interrupted.
_STUB = """\
#!/bin/sh
shift 2
echo "$*" >> "$CALLS"
case $1 in
  "$FAILS") exit 1 ;;
  "$HANGS") trap 'echo interrupted >> "$CALLS"; exit 130' INT
            echo waiting >> "$CALLS"
            while :; do sleep 0.05; done ;;
esac
"""


@pytest.fixture
def venv(tmp_path: Path) -> Path:
    """One that is newer than the project, so that nothing is installed."""
    python = tmp_path / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(_STUB)
    python.chmod(0o755)
    (tmp_path / "venv" / ".dev").touch()
    return tmp_path / "venv"


def _make(venv: Path, **environment: str) -> "subprocess.Popen[bytes]":
    own = {"CALLS": str(venv / "calls"), "FAILS": "-", "HANGS": "-"} | environment
    return subprocess.Popen(
        ["make", "bench", f"VENV={venv}", "RESULTS=there"],
        cwd=_REPOSITORY,
        env=os.environ | own,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # of which the interruption is one of all, as in a terminal
    )


def _calls(venv: Path) -> list[str]:
    path = venv / "calls"
    return path.read_text().splitlines() if path.exists() else []


def test_every_command_that_measures_runs_and_then_the_report(venv: Path) -> None:
    assert _make(venv).wait(_LIMIT) == 0
    *measured, last = _calls(venv)
    assert last == "report --save there"
    names = [call.removesuffix(" --save there") for call in measured]
    assert sorted(names) == sorted(set(main.commands) - {"report", "compare"})


def test_one_that_fails_does_not_end_the_others_and_is_told_in_the_end(venv: Path) -> None:
    assert _make(venv, FAILS="latency").wait(_LIMIT) != 0
    assert len(_calls(venv)) == len(main.commands) - 1


def test_an_interruption_ends_it_after_the_report(venv: Path) -> None:
    make = _make(venv, HANGS="seeds")
    deadline = time.monotonic() + _LIMIT
    try:
        while "waiting" not in _calls(venv):
            assert time.monotonic() < deadline
            assert make.poll() is None
            time.sleep(0.02)
    finally:
        os.killpg(make.pid, signal.SIGINT)
    assert make.wait(_LIMIT) == -signal.SIGINT  # a shell shows it as 130
    assert _calls(venv)[-4:] == [
        "seeds --save there",
        "waiting",
        "interrupted",
        "report --save there",
    ]
