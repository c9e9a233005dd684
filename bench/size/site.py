"""A supervisor on a database of its own, and its queue kept filled."""

import json
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from msgspec.structs import replace

from bench.database import bench_database
from bench.patterns import PATTERNS
from bench.project import database_name
from bench.size import steps, templates
from tasker_mp.client import Client, Submission
from tasker_mp.config import Config, TemplatesConfig
from tasker_mp.control import Command, ask
from tasker_mp.db.connect import connect
from tasker_mp.engine.runtime import RuntimeDirectory
from tasker_mp.errors import EngineError
from tasker_mp.system import bootstrap

LINEAR = PATTERNS["linear"]
_REPOSITORY = Path(__file__).parents[2]
_QUEUE = f"pgmq.q_worker_{LINEAR.namespace}_queue"
_CHUNK = 1000
_POLL = 0.02
_LIMIT = 600.0


class Site:
    """Its supervisor claims nothing until `resume`."""

    def __init__(
        self,
        config: Config,
        settings: dict[str, str],
        client: Client,
        connection: psycopg.Connection[Any],
    ) -> None:
        self.config = config
        self.settings = settings
        self.client = client
        self.connection = connection
        self._socket = RuntimeDirectory(config.root).control_socket

    # -- steering ---------------------------------------------------------------------------------

    def pause(self) -> None:
        """Claim nothing more, and wait until nothing is in flight."""
        self._command("pause")
        deadline = time.monotonic() + _LIMIT
        while ask(self._socket, Command("status"), _LIMIT)["in_flight"]:
            _check(deadline, "the steps in flight did not finish")
            time.sleep(_POLL)

    def resume(self) -> None:
        self._command("resume")

    def _command(self, name: str) -> None:
        answer = ask(self._socket, Command(name), _LIMIT)
        if "error" in answer:
            raise EngineError(f"the supervisor refused to {name}: {answer['error']}")

    # -- work -------------------------------------------------------------------------------------

    def fill(self, tasks: int) -> None:
        """Submit linear tasks until so many wait in their queue."""
        present = self.value(f"select count(*) from (select from {_QUEUE} limit {tasks}) q")
        self.add(tasks - present)

    def add(self, tasks: int) -> None:
        """Submit so many linear tasks."""
        linear = Submission(
            namespace=LINEAR.namespace, name=LINEAR.template, context=LINEAR.context
        )
        self.submit([linear] * tasks)

    def submit(self, submissions: Sequence[Submission], chunk: int = _CHUNK) -> list[UUID]:
        uuids = []
        for start in range(0, len(submissions), chunk):
            uuids += self.client.submit_many(submissions[start : start + chunk])
        return uuids

    def heads(self, count: int) -> list[UUID]:
        """The tasks that are next in the linear queue."""
        uuids: list[UUID] = self.value(
            "select array_agg((m.message ->> 'task')::uuid order by m.msg_id) from ("
            f"select msg_id, message from {_QUEUE} order by msg_id limit {count}) m"
        )
        return uuids

    def seconds(self, uuids: Sequence[UUID]) -> float:
        """From the first claim to the last completion of these tasks, once all have ended."""
        self._await_end(uuids)
        return float(
            self.value(
                "select extract(epoch from max(completed_at) - min(started_at))::float8"
                " from tasker.tasks where task_uuid = any (%s)",
                list(uuids),
            )
        )

    def rate(self, uuids: Sequence[UUID], since: datetime) -> float:
        """Steps of these tasks that finished after `since`, a second, until the last one's end.

        Some of the tasks may have begun before: those that a pause has caught between two steps.
        """
        self._await_end(uuids)
        return float(
            self.value(
                "select (select count(*) from tasker.steps s where s.task_uuid = any (%s)"
                " and s.finished_at >= %s) / extract(epoch from max(t.completed_at) - %s)::float8"
                " from tasker.tasks t where t.task_uuid = any (%s)",
                list(uuids),
                since,
                since,
                list(uuids),
            )
        )

    def now(self) -> datetime:
        """By the database's clock."""
        moment: datetime = self.value("select clock_timestamp()")
        return moment

    def _await_end(self, uuids: Sequence[UUID]) -> None:
        deadline = time.monotonic() + _LIMIT
        for some in (uuids[-100:], uuids):  # the last ones first: looking costs the work time
            while self._unfinished(some):
                _check(deadline, f"{len(uuids)} tasks did not end")
                time.sleep(_POLL)

    def _unfinished(self, uuids: Sequence[UUID]) -> bool:
        completed, otherwise = self.client.count_ended(uuids)
        if otherwise:
            raise EngineError(f"{otherwise} of {len(uuids)} tasks did not complete")
        return completed < len(uuids)

    def value(self, query: str, *parameters: object) -> Any:
        row = self.connection.execute(query.encode(), parameters).fetchone()
        assert row is not None
        return row[0]

    def settle(self) -> None:
        """Have the server do now what it would have done by the time that there is so much."""
        self.connection.execute("vacuum (analyze) tasker.tasks, tasker.steps")
        self.connection.execute(f"vacuum (analyze) {_QUEUE}".encode())
        self.connection.execute("checkpoint")


@contextmanager
def open_site(config: Config, name: str) -> Iterator[Site]:
    """A paused site; the database, the project's folder and the supervisor go with the block."""
    with ExitStack() as stack:
        own, settings = stack.enter_context(bench_database(config, database_name(config, name)))
        root = Path(stack.enter_context(_folder()))
        own = replace(own, root=root, templates=TemplatesConfig())
        stack.enter_context(bootstrap(own))
        client = stack.enter_context(Client(own.database.url, config=own))
        connection = stack.enter_context(connect(own.database.url))
        site = Site(own, settings, client, connection)
        site.pause()
        yield site


@contextmanager
def _folder() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="tasker-mp-size-") as name:
        root = Path(name)
        _copy("handlers", root)
        shutil.copy(steps.__file__, root / "handlers" / "sized.py")
        _copy(f"config/tasks/{LINEAR.namespace}", root)
        single = root / "config" / "tasks" / "single.yaml"
        single.write_text(json.dumps(_single()))  # YAML holds JSON
        yield name


def _copy(folder: str, root: Path) -> None:
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(_REPOSITORY / folder, root / folder, ignore=ignored)


def _single() -> dict[str, Any]:
    """What makes the supervisor serve the namespace and its workers load the handler."""
    (step,) = templates.single().steps
    return {
        "name": "single",
        "namespace_name": templates.NAMESPACE,
        "version": "1.0.0",
        "steps": [{"name": step.name, "handler": {"callable": step.handler.callable}}],
    }


def _check(deadline: float, what: str) -> None:
    if time.monotonic() > deadline:
        raise EngineError(f"{what} within {_LIMIT:g} s")
