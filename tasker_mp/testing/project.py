"""A project under test: its configuration, and a supervisor for it that leaves nothing behind."""

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec

from tasker_mp.client import Client
from tasker_mp.client.task import Task
from tasker_mp.config import Config, load_config
from tasker_mp.system import System, bootstrap

_OWN_STATE: Final = ".tasker"
_WORKERS: Final = 2


def config_for_tests(project: Path, **overrides: object) -> Config:
    """The configuration of the project in that folder, for $TASKER_ENV or `test`; `overrides` are
    `section__key`."""
    environment = os.environ.get("TASKER_ENV") or "test"
    given = {name.replace("__", "."): value for name, value in overrides.items()}
    return load_config(environment=environment, overrides=given, cwd=project)


class RunningProject:
    """A supervisor (`system`) with a `client` beside it."""

    def __init__(self, system: System, client: Client) -> None:
        self.system = system
        self.client = client

    def run(
        self, template: str, context: Mapping[str, Any] | None = None, timeout: float = 30.0
    ) -> Task:
        """Submit a task of `NAMESPACE/NAME[@VERSION]`, and wait for its end, `timeout` seconds at
        most; `TimeoutError`."""
        path, _, version = template.partition("@")
        namespace, _, name = path.partition("/")
        task = self.client.submit(namespace, name, dict(context or {}), version=version or None)
        return self.client.wait(task.uuid, timeout)


@contextmanager
def running_project(project: Path, dsn: str) -> Iterator[RunningProject]:
    """A supervisor with two workers for the project's templates and handlers, on that database.

    It runs in a folder of links: one that somebody runs in the project itself is left alone, and
    so is what it keeps there.
    """
    config = config_for_tests(project, database__url=dsn, worker__count=_WORKERS)
    with tempfile.TemporaryDirectory(prefix="tasker-mp-") as folder:
        root = Path(folder)
        for entry in config.root.iterdir():
            if entry.name != _OWN_STATE:
                (root / entry.name).symlink_to(entry)
        linked = msgspec.structs.replace(config, root=root)
        with bootstrap(linked) as system, Client(config=linked) as client:
            yield RunningProject(system, client)
