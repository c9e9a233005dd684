"""The runtime directory remembers every supervisor whose steps nobody has recovered yet."""

from pathlib import Path
from uuid import UUID, uuid4

import pytest

from tasker_mp.engine.runtime import RuntimeDirectory
from tasker_mp.errors import EngineError


def test_a_first_supervisor_has_no_predecessor(tmp_path: Path) -> None:
    assert RuntimeDirectory(tmp_path).acquire(uuid4()) == []


def test_a_second_supervisor_is_refused_while_the_first_one_runs(tmp_path: Path) -> None:
    holder = RuntimeDirectory(tmp_path)
    holder.acquire(uuid4())
    with pytest.raises(EngineError, match="running here already"):
        RuntimeDirectory(tmp_path).acquire(uuid4())
    holder.release(clean=True)


def test_one_that_died_before_it_recovered_its_predecessor_hands_both_on(tmp_path: Path) -> None:
    first, second, third = uuid4(), uuid4(), uuid4()
    _die(tmp_path, first, recovered=True)
    _die(tmp_path, second, recovered=False)
    assert RuntimeDirectory(tmp_path).acquire(third) == [second, first]


def test_recovered_predecessors_are_forgotten(tmp_path: Path) -> None:
    first, second = uuid4(), uuid4()
    _die(tmp_path, first, recovered=True)
    _die(tmp_path, second, recovered=True)
    assert RuntimeDirectory(tmp_path).acquire(uuid4()) == [second]


def test_a_clean_leave_forgets_oneself_but_not_who_was_never_recovered(tmp_path: Path) -> None:
    first, second = uuid4(), uuid4()
    _die(tmp_path, first, recovered=True)
    leaving = RuntimeDirectory(tmp_path)
    leaving.acquire(second)
    leaving.release(clean=True)
    assert first in RuntimeDirectory(tmp_path).acquire(uuid4())


def _die(root: Path, supervisor: UUID, *, recovered: bool) -> None:
    """As the kernel does it: the lock is free, the record stays."""
    runtime = RuntimeDirectory(root)
    runtime.acquire(supervisor)
    if recovered:
        runtime.recovered()
    runtime.release(clean=False)
