"""Fixtures for the tests of a project: `tasker_run`, `tasker_database`, `tasker_system`.

pytest imports this in every project that has tasker-mp installed, so the rest of the package is
imported where a fixture is used, and not before.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tasker_mp.testing.project import RunningProject
    from tasker_mp.testing.server import DatabaseServer
    from tasker_mp.testing.task import InlineTask


@pytest.fixture(scope="session")
def tasker_project(request: pytest.FixtureRequest) -> Path:
    """The project's folder, pytest's rootdir: define a fixture of this name for another one."""
    return request.config.rootpath


@pytest.fixture
def tasker_run(tasker_project: Path) -> "Callable[..., InlineTask]":
    """`run_workflow` for the project's templates and handlers: inline, without a database."""
    from functools import partial  # noqa: PLC0415

    from tasker_mp.testing import run_workflow  # noqa: PLC0415
    from tasker_mp.testing.project import config_for_tests  # noqa: PLC0415

    return partial(run_workflow, config=config_for_tests(tasker_project))


@pytest.fixture(scope="session")
def _tasker_server(request: pytest.FixtureRequest) -> "Iterator[DatabaseServer]":
    from tasker_mp.testing.server import database_server  # noqa: PLC0415

    with database_server(request.config.rootpath) as server:
        yield server


@pytest.fixture
def tasker_database(_tasker_server: "DatabaseServer") -> Iterator[str]:
    """The DSN of a fresh, migrated database, dropped after the test; the embedded server is the
    session's."""
    with _tasker_server.database() as dsn:
        yield dsn


@pytest.fixture
def tasker_system(tasker_project: Path, tasker_database: str) -> "Iterator[RunningProject]":
    """A supervisor for the project, ready, with its `client`: `tasker_system.run(template,
    context)` submits a task and waits for its end."""
    from tasker_mp.testing.project import running_project  # noqa: PLC0415

    with running_project(tasker_project, tasker_database) as running:
        yield running
