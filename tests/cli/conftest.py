"""A project folder with the example workflows, and the command run in it as a user runs it."""

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import Any
from unittest.mock import patch

import psutil
import pytest

from tasker_mp.cli import app, output

_REPOSITORY = Path(__file__).parents[2]
_COMMAND = (sys.executable, "-m", "tasker_mp")
_LIMIT = 60.0


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document on stdout."""
        assert self.out.count("\n") == 1, self
        return json.loads(self.out)

    def failed(self, code: int, *fragments: str) -> None:
        """Ended with that code and, on stderr, one line with all the fragments."""
        assert self.code == code, self
        lines = self.err.splitlines()
        assert len(lines) == 1, self
        assert lines[0].startswith("error: "), self
        for fragment in fragments:
            assert fragment in lines[0], self

    def succeeded(self) -> "Done":
        assert self.code == 0, self
        return self


@dataclass(frozen=True)
class Project:
    """Runs `tasker-mp` in a folder, with `dsn` as the database where there is one."""

    root: Path
    dsn: str | None = None

    def environment(self, **variables: str) -> dict[str, str]:
        ours = {k: v for k, v in os.environ.items() if not k.startswith(("TASKER", "COLUMNS"))}
        database = {"TASKER_MP_DATABASE__URL": self.dsn} if self.dsn else {}
        return ours | {"TASKER_ENV": "test", "TERM": "dumb"} | database | variables

    def run(self, *arguments: str, stdin: str = "", **variables: str) -> Done:
        done = subprocess.run(
            [*_COMMAND, *arguments],
            input=stdin,
            cwd=self.root,
            env=self.environment(**variables),
            capture_output=True,
            text=True,
            timeout=_LIMIT,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    @contextmanager
    def supervisor(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """`tasker-mp start`, ready; gone afterwards."""
        process = subprocess.Popen(
            [*_COMMAND, "start", "--json", "--workers", "2", *arguments],
            cwd=self.root,
            env=self.environment(),
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        try:
            assert select.select([process.stdout], [], [], _LIMIT)[0], "not ready in time"
            assert json.loads(process.stdout.readline() or "{}").get("ready")
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(_LIMIT)
            process.stdout.close()

    def copy_examples(self) -> None:
        """Own copies instead of links, for a test that changes them."""
        for name in ("config", "handlers"):
            (self.root / name).unlink()
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(_REPOSITORY / name, self.root / name, ignore=ignored)


class CalledProject(Project):
    """Calls the command in this process, which spares its imports: for tests of what it does with
    the database, and not of how it runs."""

    def run(self, *arguments: str, stdin: str = "", **variables: str) -> Done:
        given = TextIOWrapper(BytesIO(stdin.encode()))
        out, err = (TextIOWrapper(BytesIO(), encoding="utf-8") for _ in range(2))
        environment = patch.dict(os.environ, self.environment(**variables), clear=True)
        fresh = patch.object(output, "_written", False)
        streams = (patch.object(sys, "stdin", given), redirect_stdout(out), redirect_stderr(err))
        with chdir(self.root), environment, fresh, streams[0], streams[1], streams[2]:
            code = app.run(arguments)
            out.flush()
            err.flush()
        return Done(code, *(text.buffer.getvalue().decode() for text in (out, err)))


def is_alive(pid: int) -> bool:
    """A zombie that nobody has collected yet is not."""
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def wait_until(condition: Callable[[], bool], limit: float) -> bool:
    """Whether it holds within `limit` seconds."""
    deadline = time.monotonic() + limit
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def append(file: Path, line: str) -> None:
    file.write_text(f"{file.read_text()}{line}\n")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Without a database."""
    for name in ("config", "handlers"):
        (tmp_path / name).symlink_to(_REPOSITORY / name)
    return Project(tmp_path)


@pytest.fixture
def served(project: Project, database: str) -> Project:
    """With a migrated database of its own."""
    return Project(project.root, database)


@pytest.fixture
def called(project: Project, database: str) -> Project:
    """The same, with the command called in this process."""
    return CalledProject(project.root, database)
