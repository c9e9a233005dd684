"""Project folders whose embedded server is stopped and removed after the test."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasker_mp.db.embedded import EmbeddedServer


@pytest.fixture
def project() -> Iterator[Path]:
    """An empty folder that every user may pass through, as pytest's own are not."""
    folder = Path(tempfile.mkdtemp(prefix="tasker-mp-project-"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        _remove(folder)


@pytest.fixture
def hidden_project() -> Iterator[Path]:
    """A folder below one that only root may enter."""
    if os.geteuid() != 0:
        pytest.skip("only root has a server of another user")
    parent = Path(tempfile.mkdtemp(prefix="tasker-mp-hidden-"))
    folder = parent / "project"
    folder.mkdir()
    try:
        yield folder
    finally:
        home = EmbeddedServer(folder).status().data.parent
        _remove(folder)
        shutil.rmtree(home, ignore_errors=True)
        shutil.rmtree(parent)


def _remove(folder: Path) -> None:
    server = EmbeddedServer(folder)
    server.stop("immediate", force=True)
    server.reset()
    shutil.rmtree(folder)
