"""The disk of the database is full for a while: everything completes once there is room again."""

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psycopg
import pytest
from engine_project import Running, eventually
from own_server import LIMIT, OwnServer, own_server, project_root

_SIZE = "160m"
_CHUNK = b"\0" * (1 << 16)


@pytest.fixture
def small() -> Iterator["SmallDisk"]:
    """A server whose data lie on a tmpfs; skipped where one may not be mounted."""
    with ExitStack() as stack:
        root = stack.enter_context(project_root())
        stack.enter_context(_tmpfs(root / ".tasker"))
        disk = SmallDisk(stack.enter_context(own_server(root=root)), root / ".tasker")
        stack.callback(disk.make_room)  # where a test has failed before it did
        yield disk


class SmallDisk:
    """A server and the disk under it."""

    def __init__(self, own: OwnServer, place: Path) -> None:
        self.own = own
        self._ballast = place / "ballast"

    def fill(self) -> None:
        """To the last byte."""
        with self._ballast.open("ab", buffering=0) as file, suppress(OSError):
            while True:
                file.write(_CHUNK)
        with self._ballast.open("ab", buffering=0) as file, suppress(OSError):
            while True:
                file.write(b"\0")

    def make_room(self) -> None:
        self._ballast.unlink(missing_ok=True)


def test_statements_that_find_no_room_are_repeated_until_they_do(small: SmallDisk) -> None:
    own = small.own
    with own.folder.running(worker__max_in_flight=60) as running:
        with psycopg.connect(own.dsn, autocommit=True) as admin:
            # Or the steps that are there would find room for their results beside them.
            admin.execute("alter table tasker.steps set (fillfactor = 100)")
        uuids = own.load(running, 400)
        small.fill()
        eventually(lambda: _says(running, "No space left"), LIMIT, "it says why")
        assert running.status()["in_flight"] <= 60
        small.make_room()
        own.check(uuids, runs=3)


def test_a_server_that_cannot_write_its_log_comes_back_when_there_is_room(
    small: SmallDisk,
) -> None:
    """The write-ahead log cannot go on: the server ends, and cannot even recover as yet."""
    own = small.own
    with own.folder.running(worker__max_in_flight=60) as running:
        uuids = own.load(running, 400)
        small.fill()
        with suppress(psycopg.Error):
            own.query("select pg_switch_wal()")
            own.query("create table public.more as select 1")
        eventually(lambda: own.pid is None, LIMIT, "the server has ended")
        eventually(lambda: running.status()["starvation_detected"], LIMIT, "noticed")
        assert not own.answers()
        small.make_room()
        own.check(uuids, runs=3)


def _says(running: Running, what: str) -> bool:
    return what in (running.status()["starvation_reason"] or "")


@contextmanager
def _tmpfs(place: Path) -> Iterator[None]:
    place.mkdir()
    options = f"size={_SIZE},mode=0711"
    mount = ["mount", "-t", "tmpfs", "-o", options, "tasker-mp-small-disk", str(place)]
    try:
        done = subprocess.run(mount, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("no mount here")
    if done.returncode:
        pytest.skip(f"no tmpfs may be mounted here: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", str(place)], check=True)
