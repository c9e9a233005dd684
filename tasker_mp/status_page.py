"""The status page: a file in shared memory in which a supervisor keeps its latest snapshot.

     0        8         16        24                                    4096
    +--------+---------+---------+-------------------------------------+
    | magic  | version | newest  | zeros                               |
    +--------+---------+---------+-------------------------------------+
    | slot 0: number | length | crc32 | a snapshot as JSON, `SLOT_BYTES` in all |
    +----------------+--------+-------+--------------------------------+
    | slot 1: the same                                                 |
    +------------------------------------------------------------------+

The writer fills the slot that is not the newest, then says in one aligned store that it is. A
reader copies the newest slot and checks the copy: where the writer has come round to it meanwhile,
the checksum is wrong and the reader looks again. Nobody waits for anybody.
"""

import mmap
import os
from pathlib import Path
from struct import Struct
from typing import Final
from zlib import crc32

from tasker_mp.errors import StatusPageError

MAGIC: Final = int.from_bytes(b"taskerst", "little")
VERSION: Final = 1
HEADER_BYTES: Final = 4096
SLOT_BYTES: Final = 1 << 20
PAGE_BYTES: Final = HEADER_BYTES + 2 * SLOT_BYTES

_SLOT = Struct("<QQQ")
_MAGIC, _VERSION, _NEWEST = range(3)
_TRIES = 100


class StatusPageWriter:
    """Makes the page of this supervisor, in place of one that a dead one left."""

    def __init__(self, path: Path) -> None:
        self._number = 0
        fresh = path.with_suffix(".new")
        self._map = _fresh_map(fresh)
        self._header = memoryview(self._map)[:HEADER_BYTES].cast("Q")
        self._header[_VERSION] = VERSION
        self._header[_MAGIC] = MAGIC
        fresh.replace(path)  # whoever has the old one open keeps that

    def write(self, snapshot: bytes) -> bool:
        """Publish a snapshot; False, and the last one stays, where it is too large for a slot."""
        if len(snapshot) > SLOT_BYTES - _SLOT.size:
            return False
        self._number += 1
        start = HEADER_BYTES + self._number % 2 * SLOT_BYTES
        head = _SLOT.pack(self._number, len(snapshot), crc32(snapshot))
        self._map[start : start + _SLOT.size + len(snapshot)] = head + snapshot
        self._header[_NEWEST] = self._number
        return True

    def close(self) -> None:
        self._header.release()
        self._map.close()


def read_status_page(path: Path) -> bytes | None:
    """The newest snapshot; None where there is no page, or nothing on it yet.

    `StatusPageError` where the file is not a page that this version can read.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        if os.fstat(fd).st_size != PAGE_BYTES:
            raise StatusPageError(f"{path} is not a status page: its size is wrong")
        for _ in range(_TRIES):
            found = _look(fd, path)
            if found is not None:
                return found or None
    finally:
        os.close(fd)
    raise StatusPageError(f"{path} is damaged: no snapshot on it is whole")


def _look(fd: int, path: Path) -> bytes | None:
    """The newest snapshot, empty if there is none; None where it was overwritten meanwhile."""
    header = memoryview(os.pread(fd, 24, 0)).cast("Q")
    if header[_MAGIC] != MAGIC or header[_VERSION] != VERSION:
        raise StatusPageError(f"{path} is not a status page of this version")
    newest = header[_NEWEST]
    if not newest:
        return b""
    start = HEADER_BYTES + newest % 2 * SLOT_BYTES
    number, length, crc = _SLOT.unpack(os.pread(fd, _SLOT.size, start))
    if number != newest or length > SLOT_BYTES:
        return None
    snapshot = os.pread(fd, length, start + _SLOT.size)
    return snapshot if crc32(snapshot) == crc else None


def _fresh_map(path: Path) -> mmap.mmap:
    """A new file of zeros, mapped."""
    path.unlink(missing_ok=True)
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        # Space for all of it now: a full disk is an error here and not a SIGBUS later.
        os.posix_fallocate(fd, 0, PAGE_BYTES)
        return mmap.mmap(fd, PAGE_BYTES)
    finally:
        os.close(fd)
