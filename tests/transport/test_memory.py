"""The ring between processes: sealed memory without a name, and oversize records beside it."""

import fcntl
import mmap
import os
import resource
import select
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tasker_mp.errors import RingCorruptError, TransportError
from tasker_mp.ring.layout import SPILL_BODY
from tasker_mp.transport.interface import Channel, Record
from tasker_mp.transport.spill import SpillReceiver, SpillSender

from .conftest import OpenEnds, shared_memory_names

ID = b"0123456789abcdef"
INLINE = 1024  # a quarter of the capacity that these tests use


def test_nobody_can_map_the_ring_writable_once_its_writer_has(
    channels: Callable[..., Channel],
) -> None:
    channel = channels("ring")
    memfd = channel.fds("reader")[0]
    mmap.mmap(memfd, 4096).close()
    writer = channel.writer()

    with pytest.raises(PermissionError):
        mmap.mmap(memfd, 4096)
    with pytest.raises(PermissionError):
        os.pwrite(memfd, b"x", 0)
    with pytest.raises(TransportError, match="has a writer already"):
        channel.writer()
    writer.close()


def test_a_reader_attaches_after_the_seal_and_cannot_write(
    channels: Callable[..., Channel],
) -> None:
    channel = channels("ring")
    writer = channel.writer()
    writer.put(ID, b"payload")
    writer.publish()
    reader = channel.reader()
    with mmap.mmap(channel.fds("reader")[0], 4096, prot=mmap.PROT_READ) as mapped:
        assert b"payload" in mapped[:]
        with pytest.raises(TypeError):
            mapped[0] = 1

    assert reader.drain() == [Record(ID, b"payload")]
    writer.close()
    reader.close()


def test_the_ring_keeps_its_size(channels: Callable[..., Channel]) -> None:
    memfd = channels("ring").fds("reader")[0]
    for size in (0, 8192):
        with pytest.raises(PermissionError):
            os.ftruncate(memfd, size)


def test_the_rings_pages_are_reserved_when_it_is_made(channels: Callable[..., Channel]) -> None:
    assert os.fstat(channels("ring", 1 << 20).fds("reader")[0]).st_blocks * 512 >= 1 << 20


def test_a_ring_has_no_name_anywhere(channels: Callable[..., Channel]) -> None:
    before = shared_memory_names()
    channel = channels("ring")
    writer = channel.writer()

    assert Path(f"/proc/self/fd/{channel.fds('reader')[0]}").readlink() == Path(
        "/memfd:tasker-mp-ring (deleted)"
    )
    assert shared_memory_names() - before == set()
    writer.close()


def test_damage_leaves_the_records_before_it_and_then_raises_for_ever(
    channels: Callable[..., Channel],
) -> None:
    channel = channels("ring")
    with mmap.mmap(channel.fds("writer")[0], 4096) as scribbler:
        writer, reader = channel.writer(), channel.reader()
        for payload in (b"first", b"second", b"third"):
            writer.put(ID, payload)
        writer.publish()
        scribbler[64 + 32] ^= 1

    assert reader.drain() == [Record(ID, b"first")]
    for _ in range(2):
        assert select.select([reader.fileno()], [], [], 0)[0], "a poller must come to know of it"
        with pytest.raises(RingCorruptError, match="record 1 at byte 64"):
            reader.drain()
    writer.close()
    reader.close()


def test_an_oversize_payload_takes_two_units_of_the_ring_and_no_more(ends: OpenEnds) -> None:
    writer, reader = ends("ring")
    for _ in range(64):
        assert writer.put(ID, bytes(INLINE + 1))
    assert not writer.put(ID, b"")
    assert writer.publish() == 64

    assert reader.drain() == [Record(ID, bytes(INLINE + 1))] * 64


def test_unread_oversize_payloads_are_bounded_by_the_largest_one(ends: OpenEnds) -> None:
    writer, reader = ends("ring", max_payload=10_000)
    assert writer.put(ID, bytes(6000))
    assert not writer.put(ID, bytes(6000))
    assert writer.put(ID, bytes(4000))
    writer.publish()
    assert len(reader.drain()) == 2

    assert not writer.put(ID, bytes(6000))
    writer.reclaim()
    assert writer.put(ID, bytes(10_000))
    assert not writer.put(ID, bytes(INLINE + 1))


def test_a_full_socket_means_later_and_credit_comes(ends: OpenEnds) -> None:
    writer, reader = ends("ring", capacity=1 << 17, max_payload=1 << 30)
    payload = bytes((1 << 15) + 1)
    sent = 0
    while writer.put(ID, payload):
        sent += 1
    writer.publish()

    assert 0 < sent < (1 << 17) // 64, "the socket must be full before the ring is"
    assert len(reader.drain()) == sent
    assert select.select([writer.credit_fileno()], [], [], 0)[0]
    writer.reclaim()
    assert writer.put(ID, payload)


def test_a_spill_is_sealed_against_every_change() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        SpillSender(ours, 1 << 20).send(b"content")
        _, (memfd,), _, _ = socket.recv_fds(theirs, 8, 1)
        seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL
        assert fcntl.fcntl(memfd, fcntl.F_GET_SEALS) == seals
        os.close(memfd)


@pytest.mark.parametrize(
    ("field", "wrong", "message"),
    [(0, 7, "came in place of 7"), (1, 6, "damaged"), (1, 8, "damaged"), (2, 1, "damaged")],
)
def test_a_spill_that_is_not_what_was_announced_is_refused(
    field: int, wrong: int, message: str
) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        body = SpillSender(ours, 1 << 20).send(b"content")
        assert body is not None
        fields = list(SPILL_BODY.unpack(body))
        fields[field] = wrong
        with pytest.raises(RingCorruptError, match=message):
            SpillReceiver(theirs, 1 << 20).receive(SPILL_BODY.pack(*fields))


def test_a_spill_above_the_limit_is_not_read() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs, pytest.raises(RingCorruptError, match="8 bytes, above 7"):
        SpillReceiver(theirs, 7).receive(SPILL_BODY.pack(0, 8, 0))


def test_a_spill_that_did_not_arrive_fails_after_the_records_before_it(
    channels: Callable[..., Channel],
) -> None:
    channel = channels("ring")
    writer, reader = channel.writer(), channel.reader()
    for payload in (b"first", bytes(INLINE + 1), b"third"):
        writer.put(ID, payload)
    writer.publish()
    thief = socket.socket(fileno=os.dup(channel.fds("reader")[3]))
    thief.recv(8)
    thief.close()

    assert reader.drain() == [Record(ID, b"first")]
    for _ in range(2):
        assert select.select([reader.fileno()], [], [], 0)[0]
        with pytest.raises(TransportError, match="spill 0 did not arrive"):
            reader.drain()
    writer.close()
    reader.close()


def test_a_process_out_of_descriptors_is_told_so_and_goes_on_when_it_has_some(
    ends: OpenEnds,
) -> None:
    writer, reader = ends("ring")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        with pytest.raises(TransportError, match="cannot send a payload of 5000 bytes"):
            writer.put(ID, bytes(5000))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert writer.put(ID, bytes(5000))
    writer.publish()
    assert reader.drain() == [Record(ID, bytes(5000))]

    assert writer.put(ID, bytes(5000))
    writer.publish()
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        with pytest.raises(TransportError, match="raise `ulimit -n`"):
            reader.drain()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
