"""Oversize payloads: each in a sealed memfd of its own, sent beside the ring over a socket."""

import errno
import fcntl
import os
import socket
from collections import deque
from typing import NamedTuple
from zlib import crc32

from tasker_mp.errors import RingCorruptError, TransportError
from tasker_mp.ring.layout import SPILL_BODY

_NUMBER_BYTES = 8
_READER_GONE = (errno.EPIPE, errno.ECONNRESET)
_LATER = (errno.EAGAIN, errno.ENOBUFS, errno.ETOOMANYREFS)


class _Spill(NamedTuple):
    end: int
    length: int


class SpillSender:
    """Sends payloads in memfds; at most `window_bytes` of them, or one, are unread at any time.

    Without that bound a slow reader would let the writer fill the memory of the machine, as these
    payloads take no room in the ring. A spill is read once the ring's reader has given back the
    room of the SPILL record that announced it, which is at byte `end` of all that was ever put.
    """

    def __init__(self, channel: socket.socket, window_bytes: int) -> None:
        self._socket = channel
        self._window = window_bytes
        self._unread: deque[_Spill] = deque()
        self._unread_bytes = 0
        self._number = 0

    def send(self, payload: bytes) -> bytes | None:
        """Send a payload; the body of the SPILL record to announce it with, or None for later.

        Sent before it is announced, so that the reader has it when it reads the announcement.
        `TransportError` where the system has no memory or no descriptors for it.
        """
        length = len(payload)
        if self._unread and self._unread_bytes + length > self._window:
            return None
        try:
            memfd = _sealed(payload)
            try:
                socket.send_fds(self._socket, [self._number.to_bytes(_NUMBER_BYTES)], [memfd])
            finally:
                os.close(memfd)
        except OSError as error:
            # Later only where something of ours is unread, as its reading is what wakes us again;
            # or where nobody reads any more, which is for the reader's supervisor to find out.
            if (error.errno in _LATER and self._unread) or error.errno in _READER_GONE:
                return None
            raise TransportError(
                f"cannot send a payload of {length} bytes beside the ring: {error.strerror}"
            ) from error
        body = SPILL_BODY.pack(self._number, length, crc32(payload))
        self._number += 1
        return body

    def announced(self, end: int, length: int) -> None:
        """Note that the SPILL record of the payload just sent ends at byte `end`."""
        self._unread.append(_Spill(end, length))
        self._unread_bytes += length

    def consumed(self, end: int) -> None:
        """Note that the reader has given back the ring up to byte `end`."""
        while self._unread and self._unread[0].end <= end:
            self._unread_bytes -= self._unread.popleft().length


class SpillReceiver:
    """Receives what a `SpillSender` sends."""

    def __init__(self, channel: socket.socket, max_payload_bytes: int) -> None:
        self._socket = channel
        self._limit = max_payload_bytes

    def receive(self, body: bytes) -> bytes:
        """The content that a SPILL record's `body` announces; checked by length and CRC."""
        number, length, crc = SPILL_BODY.unpack(body)
        if length > self._limit:
            raise RingCorruptError(f"spill {number} has {length} bytes, above {self._limit}")
        content = self._content(number, length)
        if len(content) != length or crc32(content) != crc:
            raise RingCorruptError(f"spill {number} is damaged: it should have {length} bytes")
        return content

    def _content(self, number: int, length: int) -> bytes:
        memfd = self._memfd(number)
        try:
            return _read(memfd, length)
        finally:
            os.close(memfd)

    def _memfd(self, number: int) -> int:
        try:
            message, fds, _, _ = socket.recv_fds(
                self._socket, _NUMBER_BYTES, 1, socket.MSG_CMSG_CLOEXEC
            )
        except OSError as error:
            raise TransportError(f"spill {number} did not arrive: {error.strerror}") from error
        if not fds:
            raise TransportError(
                f"spill {number} came without its descriptor: "
                "this process has too many open, raise `ulimit -n`"
            )
        if int.from_bytes(message) != number:
            os.close(fds[0])
            raise RingCorruptError(f"spill {int.from_bytes(message)} came in place of {number}")
        return fds[0]


def _sealed(payload: bytes) -> int:
    """A memfd with this content that nobody can change any more."""
    memfd = os.memfd_create("tasker-mp-spill", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        rest = memoryview(payload)
        while rest:
            rest = rest[os.write(memfd, rest) :]
        seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL
        fcntl.fcntl(memfd, fcntl.F_ADD_SEALS, seals)
    except BaseException:
        os.close(memfd)
        raise
    return memfd


def _read(memfd: int, length: int) -> bytes:
    """Up to `length` bytes; one `pread` gives at most 2 GiB."""
    content = os.pread(memfd, length, 0)
    while len(content) < length:
        more = os.pread(memfd, length - len(content), len(content))
        if not more:
            break
        content += more
    return content
