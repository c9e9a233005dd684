"""Handler packages written for one test, importable for its length."""

import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

_numbers = count(1)

Written = Callable[[dict[str, str]], str]


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Written]:
    """Writes a package of the given files and returns its name, which no other test uses."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)

    def write(files: dict[str, str]) -> str:
        package = f"made_{next(_numbers)}"
        for name, text in {"__init__.py": "", **files}.items():
            file = tmp_path / package / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        return package

    yield write
    for name in set(sys.modules) - before:
        if name.startswith("made_"):
            del sys.modules[name]
