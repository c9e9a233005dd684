"""A project of the fault-point tests on a database of its own."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "engine"))  # its project folder is ours, too
from fault_project import FaultProject
from fault_service import Launcher

from tasker_mp.client.client import Client
from tasker_mp.template.parse import load_templates

pytest.register_assert_rewrite("fault_audit", "fault_case")


@pytest.fixture(scope="session")
def launcher() -> Iterator[Launcher]:
    launcher = Launcher()
    yield launcher
    launcher.close()


@pytest.fixture
def project(tmp_path: Path, database: str) -> Iterator[FaultProject]:
    """What the test starts lives in this folder, and is gone when the test ends."""
    project = FaultProject(tmp_path, database)
    yield project
    print(project.log())
    for process in project.processes():
        process.kill()


@pytest.fixture
def client(project: FaultProject) -> Iterator[Client]:
    """With the project's templates registered, so that work is there before a supervisor is."""
    config = project.config()
    with Client(config=config) as client:
        for template in load_templates(config.root / config.templates.path, "test").templates:
            client.register(template)
        yield client
