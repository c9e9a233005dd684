"""`tasker-mp …` as an operator runs it in the project's folder."""

import os
import subprocess
import sys
import time
from pathlib import Path

from bench.project import REPOSITORY
from tasker_mp.errors import EngineError

_LIMIT = 30.0


def started(root: Path, *arguments: str, terminal: int) -> subprocess.Popen[bytes]:
    """On that terminal; a Ctrl-C in this process's own is not meant for it."""
    return subprocess.Popen(
        _command(*arguments),
        cwd=root,
        env=_environment(),
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
    )


def timed(root: Path, *arguments: str) -> float:
    """Seconds from its start to its end; `EngineError` where it fails."""
    began = time.perf_counter()
    done = subprocess.run(
        _command(*arguments),
        cwd=root,
        env=_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=_LIMIT,
        check=False,
    )
    took = time.perf_counter() - began
    if done.returncode:
        words = done.stderr.decode(errors="replace").strip().splitlines() or ["it said nothing"]
        raise EngineError(f"tasker-mp {arguments[0]} ended with {done.returncode}: {words[-1]}")
    return took


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "tasker_mp", *arguments]


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TASKER_")}
    return kept | {"PYTHONPATH": str(REPOSITORY), "TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}
