"""A copy of an example, and its supervisor."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tasker_mp import Client, bootstrap, load_config
from tasker_mp.client.task import Task
from tasker_mp.system import System

LIMIT = 30.0


class Running:
    """The example's supervisor, with a client beside it."""

    def __init__(self, root: Path, system: System, client: Client) -> None:
        self.root = root
        self.system = system
        self.client = client

    def run(self, path: str, context: dict[str, Any]) -> Task:
        """Submit a task of `namespace/name`, and wait for its end."""
        namespace, name = path.split("/")
        return self.client.wait(self.client.submit(namespace, name, context).uuid, LIMIT)


class Example:
    """A copy of the project `name`."""

    def __init__(self, root: Path, database: str) -> None:
        self.root = root
        self._database = database

    @contextmanager
    def running(self, workers: int = 2, **overrides: Any) -> Iterator[Running]:
        given = {name.replace("__", "."): value for name, value in overrides.items()}
        fixed = {"database.url": self._database, "worker.count": workers, "logging.level": "error"}
        config = load_config(self.root / "config", "test", fixed | given, environ={})
        with bootstrap(config) as system, Client(config=config) as client:
            yield Running(self.root, system, client)
