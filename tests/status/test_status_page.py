"""The status page: snapshots of one process, read by others at any moment."""

import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tasker_mp.errors import StatusPageError
from tasker_mp.status_page import PAGE_BYTES, SLOT_BYTES, StatusPageWriter, read_status_page

_WRITE_FOR_EVER = """
import sys
from pathlib import Path
from tasker_mp.status_page import StatusPageWriter
page = StatusPageWriter(Path(sys.argv[1]))
number = 0
while True:
    number += 1
    page.write(b"%d," % number * (1 + number % 3000))
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "status.page"


def test_a_reader_sees_the_latest_snapshot(path: Path) -> None:
    page = StatusPageWriter(path)
    assert read_status_page(path) is None
    for snapshot in (b"one", b"two", b"three"):
        assert page.write(snapshot)
        assert read_status_page(path) == snapshot
    page.close()
    assert read_status_page(path) == b"three"


def test_only_its_owner_can_read_it(path: Path) -> None:
    StatusPageWriter(path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_without_a_page_there_is_no_snapshot(path: Path) -> None:
    assert read_status_page(path) is None


def test_a_successor_begins_anew_and_a_reader_of_the_old_page_is_not_disturbed(path: Path) -> None:
    first = StatusPageWriter(path)
    first.write(b"old")
    second = StatusPageWriter(path)
    assert read_status_page(path) is None
    first.write(b"a dead one's last words")
    assert read_status_page(path) is None
    second.write(b"new")
    assert read_status_page(path) == b"new"


def test_a_snapshot_above_the_limit_leaves_the_last_one(path: Path) -> None:
    page = StatusPageWriter(path)
    assert page.write(b"small")
    assert not page.write(bytes(SLOT_BYTES))
    assert read_status_page(path) == b"small"


@pytest.mark.parametrize(
    "content", [b"", b"hello", bytes(PAGE_BYTES)], ids=["empty", "short", "zeros"]
)
def test_another_file_is_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(StatusPageError, match="status page"):
        read_status_page(path)


def test_a_damaged_snapshot_is_refused_and_not_shown(path: Path) -> None:
    page = StatusPageWriter(path)
    page.write(b"x" * 100)
    content = path.read_bytes()
    path.write_bytes(content.replace(b"xxx", b"xyx", 1))
    with pytest.raises(StatusPageError, match="damaged"):
        read_status_page(path)


def test_whatever_the_writer_does_no_torn_snapshot_is_ever_seen(path: Path) -> None:
    writer = subprocess.Popen([sys.executable, "-c", _WRITE_FOR_EVER, str(path)])
    try:
        seen = set()
        deadline = time.monotonic() + 60
        while len(seen) < 300 and time.monotonic() < deadline:
            snapshot = read_status_page(path)
            if snapshot:
                numbers = set(snapshot.decode().rstrip(",").split(","))
                assert len(numbers) == 1
                [number] = numbers
                assert snapshot.count(b",") == 1 + int(number) % 3000
                seen.add(number)
        assert len(seen) >= 300
    finally:
        writer.kill()
        writer.wait()
