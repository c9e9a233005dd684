"""Other commands that use a project's embedded server: real processes, told what to do by code."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_HOLD = """
import sys
from pathlib import Path
from tasker_mp.db.embedded import lease
with lease(Path(sys.argv[1])) as dsn:
    print(dsn, flush=True)
    sys.stdin.read()
"""


def run(code: str, *arguments: object) -> "subprocess.Popen[str]":
    """Python code in a process of its own, with pipes to it."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextmanager
def holding(project: Path) -> Iterator["subprocess.Popen[str]"]:
    """A command with a lease on the server, which runs by the time the block is entered."""
    command = run(_HOLD, project)
    assert command.stdout is not None
    try:
        assert command.stdout.readline(), finish(command, expect=None)
        yield command
    finally:
        finish(command, expect=None)


def finish(command: "subprocess.Popen[str]", expect: int | None = 0) -> str:
    """Closes its input and returns its output once it has ended, with status `expect`."""
    output, errors = command.communicate(timeout=60)
    assert expect is None or command.returncode == expect, errors
    return output + errors
