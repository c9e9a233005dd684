"""A project folder of the engine's tests on a database of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from engine_project import ProjectFolder


@pytest.fixture
def folder(
    tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ProjectFolder]:
    """What the test starts lives in this folder, and is gone when the test ends."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    folder = ProjectFolder(tmp_path, database)
    yield folder
    for process in folder.processes():
        process.kill()
