"""Where a measurement runs: a folder with the example workflows, a fresh database, a supervisor."""

import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import psycopg
from msgspec.structs import replace
from psycopg.conninfo import conninfo_to_dict

from bench.database import bench_database
from bench.usage import Meter
from tasker_mp.client import Client
from tasker_mp.config import Config, TemplatesConfig
from tasker_mp.db.connect import EMBEDDED, connect
from tasker_mp.errors import EngineError
from tasker_mp.system import System, bootstrap

REPOSITORY = Path(__file__).parents[1]


class Served(NamedTuple):
    """A running supervisor, and two connections to its database."""

    config: Config
    system: System
    client: Client
    connection: psycopg.Connection[Any]

    def meter(self) -> Meter:
        return Meter(self.system.pid, self.steps, self.connection)

    def steps(self) -> int:
        """Steps that have run since it started."""
        status = self.system.status()
        if not status["running"]:
            raise EngineError(status["error"])
        processed: int = status["stats"]["processed"]
        return processed


@contextmanager
def bench_project(
    config: Config,
    name: str,
    handlers: ModuleType | None = None,
    templates: Sequence[dict[str, Any]] = (),
) -> Iterator[tuple[Config, dict[str, str]]]:
    """The configuration moved there, and the server's settings; gone with the block.

    `handlers` becomes `handlers.bench_steps` there; `templates` are added to those of the examples.
    """
    with bench_database(config, database_name(config, name)) as (own, settings), _folder() as root:
        write_project(root, handlers, templates)
        yield replace(own, root=root, templates=TemplatesConfig()), settings


def database_name(config: Config, name: str) -> str:
    """The same again in the next run, which drops what a killed one left behind; another beside
    each database that somebody may be measuring from."""
    parts = ["tasker_bench", name]
    if config.database.url != EMBEDDED:
        parts.append(str(conninfo_to_dict(config.database.url).get("dbname") or ""))
    return "_".join(filter(None, parts))[:63]


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="tasker-mp-bench-") as name:
        yield Path(name)


def write_project(
    root: Path, handlers: ModuleType | None, templates: Sequence[dict[str, Any]]
) -> None:
    ignored = shutil.ignore_patterns("__pycache__")
    for part in ("handlers", "config/tasks"):
        shutil.copytree(REPOSITORY / part, root / part, ignore=ignored)
    if handlers is not None:
        assert handlers.__file__ is not None
        shutil.copy(handlers.__file__, root / "handlers" / "bench_steps.py")
    for template in templates:
        path = root / "config" / "tasks" / f"{template['name']}.yaml"
        path.write_text(json.dumps(template))  # YAML holds JSON


def one_step(namespace: str, method: str) -> dict[str, Any]:
    """A template of one step, which runs that method of `bench_steps.BenchSteps`."""
    return {
        "name": method,
        "namespace_name": namespace,
        "version": "1.0.0",
        "steps": [step(method)],
    }


def step(method: str, *parents: str, name: str = "") -> dict[str, Any]:
    handler = {"callable": "handlers.bench_steps.BenchSteps", "method": method}
    return {"name": name or method, "dependencies": list(parents), "handler": handler}


@contextmanager
def serving(config: Config, stderr: int | None = None) -> Iterator[Served]:
    """A supervisor on the project of `bench_project`, ready; `stderr` is a descriptor for its
    log."""
    with ExitStack() as stack:
        system = stack.enter_context(bootstrap(config, stderr=stderr))
        client = stack.enter_context(Client(config.database.url, config=config))
        connection = stack.enter_context(connect(config.database.url))
        yield Served(config, system, client, connection)
