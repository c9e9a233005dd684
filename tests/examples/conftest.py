"""Each example is a project as a user would have it: copied, and run by the real engine."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from example_project import Example


@pytest.fixture
def example(
    tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], Example]:
    def copied(name: str) -> Example:
        root = tmp_path / name
        shutil.copytree(Path(__file__).parent / name, root)
        monkeypatch.chdir(root)
        return Example(root, database)

    return copied
