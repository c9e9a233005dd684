"""A project folder whose one handler class does what a step's `method` says, and keeps a ledger."""

import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import psutil

from tasker_mp import bootstrap
from tasker_mp.client.client import Client
from tasker_mp.client.submission import Submission
from tasker_mp.client.task import Task
from tasker_mp.config import Config, load_config
from tasker_mp.system import System

NAMESPACE = "acts"
_LIMIT = 20.0
_ACTS = Path(__file__).with_name("acts.py.txt")


def eventually(predicate: Callable[[], Any], limit: float = _LIMIT, what: str = "") -> Any:
    """The predicate's first true value, asked for every 10 ms."""
    deadline = time.monotonic() + limit
    while not (value := predicate()):
        assert time.monotonic() < deadline, f"not within {limit:g} s: {what or predicate}"
        time.sleep(0.01)
    return value


def is_alive(pid: int) -> bool:
    """A zombie that nobody has collected yet is not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def step(name: str, *parents: str, method: str | None = None, **keys: Any) -> dict[str, Any]:
    """A step that runs the method of its name, tried once unless `retry` says otherwise."""
    retry = {"max_attempts": 1, "backoff": "none"} | keys.pop("retry", {})
    handler = {"callable": "handlers.acts.Acts", "method": method or name}
    return {"name": name, "dependencies": list(parents), "handler": handler, "retry": retry} | keys


class ProjectFolder:
    """Writes templates, starts supervisors on `dsn` in `root`, reads what the handlers did."""

    def __init__(self, root: Path, dsn: str, namespace: str = NAMESPACE) -> None:
        self.root = root
        self.dsn = dsn
        self.namespace = namespace
        (root / "config" / "tasks").mkdir(parents=True)
        (root / "handlers").mkdir()
        (root / "handlers" / "__init__.py").touch()
        (root / "handlers" / "acts.py").write_text(_ACTS.read_text())

    def template(self, name: str, *steps: dict[str, Any]) -> None:
        """YAML holds JSON."""
        text = json.dumps(
            {
                "name": name,
                "namespace_name": self.namespace,
                "version": "1.0.0",
                "steps": steps or [step(name)],
            }
        )
        (self.root / "config" / "tasks" / f"{name}.yaml").write_text(text)

    def config(self, **overrides: object) -> Config:
        """Keys as `worker__count`; two workers, no deadline in reach."""
        values = {"worker__count": 2, "steps__timeout": 60, "logging__level": "warning"} | overrides
        named = {name.replace("__", "."): value for name, value in values.items()}
        return load_config(
            self.root / "config", "test", {"database.url": self.dsn} | named, environ={}
        )

    @contextmanager
    def running(self, **overrides: object) -> Iterator["Running"]:
        """A supervisor, ready; afterwards neither it nor any descendant is alive."""
        with bootstrap(self.config(**overrides)) as system, Client(config=system.config) as client:
            yield Running(self, system, client)
        self.await_quiet()

    def await_quiet(self, limit: float = 3.0) -> None:
        eventually(lambda: not self.processes(), limit, f"left behind: {self.processes()}")

    def processes(self) -> list[psutil.Process]:
        """Every process that a supervisor of this folder started: they live in the folder."""
        return [
            process
            for process in psutil.process_iter()
            if process.pid != os.getpid() and self._is_ours(process)
        ]

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            return Path(process.cwd()) == self.root
        except psutil.Error:
            return False

    # -- what the handlers did ----------------------------------------------------------------

    def ledger(self) -> list[tuple[str, str, int]]:
        """(task, method, pid) of every execution, in the order of their starts."""
        file = self.root / "ledger"
        lines = file.read_text().splitlines() if file.exists() else []
        return [(task, method, int(pid)) for task, method, pid in map(str.split, lines)]

    def executions(self) -> Counter[tuple[str, str]]:
        return Counter((task, method) for task, method, _ in self.ledger())

    def started(self, method: str = "hold", count: int = 1) -> list[int]:
        """The pids that ran a method, once it was started `count` times."""

        def pids() -> list[int]:
            found = [pid for _, name, pid in self.ledger() if name == method]
            return found if len(found) >= count else []

        pids_found: list[int] = eventually(pids, what=f"{count} starts of {method}")
        return pids_found

    def release(self) -> None:
        """Let the steps that hold go on."""
        (self.root / "release").touch()


class Running:
    """A supervisor with a client beside it."""

    def __init__(self, folder: ProjectFolder, system: System, client: Client) -> None:
        self.folder = folder
        self.system = system
        self.client = client

    @property
    def pid(self) -> int:
        return self.system.pid

    def submit(self, name: str, count: int = 1, **context: Any) -> list[UUID]:
        submission = Submission(namespace=self.folder.namespace, name=name, context=context)
        return self.client.submit_many([submission] * count)

    def wait(self, uuids: Sequence[UUID], limit: float = _LIMIT) -> list[Task]:
        deadline = time.monotonic() + limit
        return [self.client.wait(uuid, deadline - time.monotonic()) for uuid in uuids]

    def run(self, name: str, count: int = 1, **context: Any) -> list[Task]:
        return self.wait(self.submit(name, count, **context))

    def status(self) -> dict[str, Any]:
        return self.system.status()

    def workers(self) -> dict[int, int]:
        """pid by index, once all workers serve."""

        def pids() -> dict[int, int]:
            rows = self.status().get("workers", [])
            ready = rows and all(row["state"] in ("idle", "busy") for row in rows)
            return {row["index"]: row["pid"] for row in rows} if ready else {}

        found: dict[int, int] = eventually(pids, what="workers ready")
        return found

    def zygote(self) -> int:
        children = psutil.Process(self.pid).children()
        return next(child.pid for child in children if "zygote" in child.name() + _title(child))

    def crashes(self, uuid: UUID) -> list[tuple[str, int | None, str | None]]:
        """(step, attempt, error code) of every transition that carries an error."""
        return [
            (t.step, t.attempt, t.error["error_code"])
            for t in self.client.transitions(uuid)
            if t.error
        ]


def _title(process: psutil.Process) -> str:
    return " ".join(process.cmdline())
