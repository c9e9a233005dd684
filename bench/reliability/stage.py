"""Where it happens: a temporary project with its own PostgreSQL, as durable as any."""

import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from bench.patterns import PATTERNS
from bench.reliability import steps
from bench.reliability.entries import Entries
from bench.reliability.probe import Probe
from bench.reliability.service import Service
from tasker_mp.client import Client, Submission
from tasker_mp.config import Config, load_config
from tasker_mp.db.embedded import DATABASE, EmbeddedServer

FORMS = ("spins", "sleeps", "holds_the_interpreter", "ignores_sigterm", "forks")
TIMEOUT_SECONDS = 0.3
_NAMESPACE = "measured"
_CHUNK = 1000
_REPOSITORY = Path(__file__).parents[2]
_LINEAR = PATTERNS["linear"]
_SETTINGS = """\
[worker]
count = {workers}
[logging]
level = "warning"
"""


class Stage:
    """A context manager that leaves nothing behind and touches no other data."""

    def __init__(self, workers: int) -> None:
        with ExitStack() as stack:
            self.root = Path(tempfile.mkdtemp(prefix="tasker-mp-bench-"))
            stack.callback(shutil.rmtree, self.root)
            self.root.chmod(0o711)  # as root, the account of the embedded server passes through
            self._write_project(workers)
            self.config: Config = load_config(self.root / "config", "bench", environ={})
            self.entries = Entries(self.root / steps.ENTRIES.name)
            stack.callback(self.entries.close)
            self.server = EmbeddedServer(self.root)
            stack.callback(self.server.reset)
            self.dsn = stack.enter_context(self.server.lease())
            self._resources = stack.pop_all()

    def _write_project(self, workers: int) -> None:
        shutil.copytree(
            _REPOSITORY / "handlers",
            self.root / "handlers",
            ignore=shutil.ignore_patterns("__pycache__"),
        )
        shutil.copy(steps.__file__, self.root / "handlers" / "measured.py")
        tasks = self.root / "config" / "tasks"
        shutil.copytree(_REPOSITORY / "config" / "tasks" / _LINEAR.namespace, tasks)
        for form in (*FORMS, "nap"):
            (tasks / f"{form}.yaml").write_text(json.dumps(_template(form)))  # YAML holds JSON
        (self.root / "config" / "tasker.toml").write_text(_SETTINGS.format(workers=workers))

    @contextmanager
    def serving(self) -> Iterator[Service]:
        """A supervisor that is ready, on a fresh database."""
        self._drop_database()
        self.server.ensure_running()
        self.entries.read()
        service = Service(self.root)
        try:
            service.start()
            service.await_ready()
            yield service
        finally:
            service.stop()

    def _drop_database(self) -> None:
        drop = sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(DATABASE))
        with psycopg.connect(make_conninfo(self.dsn, dbname="postgres"), autocommit=True) as admin:
            admin.execute(drop)

    def submit(self, forms: Sequence[str]) -> None:
        """A task of one step for each."""
        self._submit([Submission(namespace=_NAMESPACE, name=form, context={}) for form in forms])

    def submit_linear(self, count: int) -> None:
        """Tasks of the linear example workflow, four steps each."""
        linear = Submission(
            namespace=_LINEAR.namespace, name=_LINEAR.template, context=_LINEAR.context
        )
        self._submit([linear] * count)

    def _submit(self, submissions: list[Submission]) -> None:
        with Client(self.dsn, config=self.config) as client:
            for start in range(0, len(submissions), _CHUNK):
                client.submit_many(submissions[start : start + _CHUNK])

    def probe(self) -> Probe:
        return Probe(self.dsn)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._resources.close()


def _template(form: str) -> dict[str, object]:
    return {
        "name": form,
        "namespace_name": _NAMESPACE,
        "version": "1.0.0",
        "steps": [
            {
                "name": form,
                "handler": {"callable": "handlers.measured.Measured", "method": form},
                "timeout_seconds": 20 if form == "nap" else TIMEOUT_SECONDS,
                "retry": {"max_attempts": 1, "backoff": "none"},
            }
        ],
    }
