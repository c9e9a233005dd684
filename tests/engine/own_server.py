"""A project with a PostgreSQL of its own, which a test may hurt; and what must hold afterwards."""

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from engine_project import ProjectFolder, Running, eventually, step

from tasker_mp.client.client import Client
from tasker_mp.db.embedded import EmbeddedServer

LIMIT = 60.0
_COMPLETED = "select count(*) from tasker.steps where state = 'complete'"
_COMPLETED_TWICE = """
    select task_uuid, step_no from tasker.step_transitions where to_state = 'complete'
    group by 1, 2 having count(*) <> 1"""


class OwnServer:
    """`folder` uses this server as its embedded one, or by its DSN as anybody else's."""

    def __init__(self, root: Path, settings: Mapping[str, str | int], *, embedded: bool) -> None:
        self.server = EmbeddedServer(root, settings=settings)
        self.dsn = self.server.start_and_stay()
        self.folder = ProjectFolder(root, "embedded" if embedded else self.dsn)
        # The first and the last step take time, so that there is something to interrupt.
        chain = [step("a", method="short"), step("b", "a", method="call")]
        self.folder.template("chain", *chain, step("c", "b", method="short"))

    @property
    def pid(self) -> int | None:
        return self.server.status().pid

    def kill(self) -> int:
        """SIGKILL to the postmaster."""
        pid = eventually(lambda: self.pid, LIMIT, "a server to kill")
        os.kill(pid, signal.SIGKILL)
        return int(pid)

    def stop(self, mode: str) -> None:
        self.server._cluster.stop(mode)

    def restart(self, mode: str) -> None:
        """As an operator would, behind everybody's back."""
        log = self.folder.root / "restart.log"
        log.touch()
        log.chmod(0o666)  # pg_ctl runs as the server's user
        control = self.server._cluster._control
        code, output = control("restart", "-m", mode, "-l", log, limit=60)
        assert code == 0, output

    def answers(self) -> bool:
        try:
            psycopg.connect(self.dsn, connect_timeout=4).close()
        except psycopg.OperationalError:
            return False
        return True

    def query(self, text: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            return connection.execute(text.encode()).fetchall()

    def completed(self) -> int:
        return int(self.query(_COMPLETED)[0][0])

    # -- the load and what became of it -------------------------------------------------------

    def load(self, running: Running, tasks: int, begun: int = 60) -> list[UUID]:
        """Tasks of which so many executions have begun."""
        uuids = running.submit("chain", tasks, n=7)
        self.await_executions(begun)
        return uuids

    def await_executions(self, count: int) -> None:
        eventually(lambda: len(self.folder.ledger()) >= count, LIMIT, f"{count} executions")

    def check(self, uuids: list[UUID], runs: int = 1) -> None:
        """All complete, each step once and uncharged for what others did, results right; no step
        ran more than `runs` times."""
        eventually(self.answers, LIMIT, "the database answers")
        with Client(self.dsn) as client:
            deadline = time.monotonic() + LIMIT
            tasks = [client.wait(uuid, deadline - time.monotonic()) for uuid in uuids]
            assert {task.state for task in tasks} == {"complete"}
            assert {tuple(s.attempts for s in task.steps) for task in tasks} == {(1, 1, 1)}
            assert {task.results["b"]["n"] for task in tasks} == {7}
        assert self.query(_COMPLETED_TWICE) == []
        executions = self.folder.executions()
        assert len(executions) == 2 * len(uuids)  # `short` is the method of two steps
        assert max(n for (_, method), n in executions.items() if method == "call") <= runs
        assert max(executions.values()) <= 2 * runs

    def remove(self) -> None:
        self.server.stop("immediate", force=True)
        self.server.reset()


@contextmanager
def project_root() -> Iterator[Path]:
    """A folder that every user may pass through, as pytest's own are not."""
    root = Path(tempfile.mkdtemp(prefix="tasker-mp-outage-"))
    root.chmod(0o711)
    before = Path.cwd()
    os.chdir(root)
    try:
        yield root
    finally:
        os.chdir(before)
        shutil.rmtree(root)


@contextmanager
def own_server(
    *,
    embedded: bool = True,
    settings: Mapping[str, str | int] | None = None,
    root: Path | None = None,
) -> Iterator[OwnServer]:
    """In a folder of its own, unless there is one."""
    with project_root() if root is None else nullcontext(root) as root:  # noqa: PLR1704
        own = OwnServer(root, settings or {}, embedded=embedded)
        try:
            yield own
        finally:
            for process in own.folder.processes():
                with suppress(ProcessLookupError):
                    process.kill()
            own.remove()
