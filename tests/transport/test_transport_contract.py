"""What every transport does, whatever carries it."""

import array
import os
import resource
import select
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from tasker_mp import transport
from tasker_mp.errors import (
    ConfigError,
    PayloadTooLargeError,
    RingCorruptError,
    TransportError,
)
from tasker_mp.transport.interface import Channel, Reader, Record, Writer

from .conftest import OpenEnds, open_descriptors

ID = b"0123456789abcdef"
both = pytest.mark.parametrize("name", ["ring", "pipe"])


def readable(fd: int) -> bool:
    return bool(select.select([fd], [], [], 0)[0])


def receive(writer: Writer, reader: Reader, count: int) -> list[Record]:
    """Drain `count` records, letting the writer go on with what is stalled."""
    records: list[Record] = []
    while len(records) < count:
        before = len(records)
        records += reader.drain()
        assert readable(writer.credit_fileno()) or len(records) > before, "nothing moves"
        writer.reclaim()
    return records


@both
def test_nothing_arrives_before_it_is_published(ends: OpenEnds, name: str) -> None:
    writer, reader = ends(name)
    assert writer.put(ID, b"payload")

    assert not readable(reader.fileno())
    assert reader.drain() == []
    assert writer.publish() == 1
    assert readable(reader.fileno())
    assert reader.drain() == [Record(ID, b"payload")]
    assert not readable(reader.fileno())
    assert reader.drain() == []


@both
def test_one_drain_takes_all_that_was_published_in_order(ends: OpenEnds, name: str) -> None:
    writer, reader = ends(name)
    for batch in ([b"a", b""], [b"b" * 100, b"c", b"d"]):
        for payload in batch:
            assert writer.put(ID, payload)
        assert writer.publish() == len(batch)

    assert [record.payload for record in reader.drain()] == [b"a", b"", b"b" * 100, b"c", b"d"]


@both
def test_publishing_nothing_wakes_nobody(ends: OpenEnds, name: str) -> None:
    writer, reader = ends(name)

    assert writer.publish() == 0
    assert not readable(reader.fileno())


@both
def test_a_full_channel_refuses_until_the_reader_has_drained(ends: OpenEnds, name: str) -> None:
    writer, reader = ends(name, capacity=1024)
    sent = 0
    while writer.put(ID, bytes(100)):
        sent += 1
    writer.publish()

    assert 0 < sent <= 1024 // 132
    assert not readable(writer.credit_fileno())
    writer.reclaim()
    assert not writer.put(ID, bytes(100))
    assert len(reader.drain()) == sent
    assert readable(writer.credit_fileno())
    writer.reclaim()
    assert not readable(writer.credit_fileno())
    assert writer.put(ID, bytes(100))


@both
@pytest.mark.parametrize("size", [1023, 1024, 1025, 4096, 70_000, 1 << 20])
def test_a_record_of_any_allowed_size_arrives(ends: OpenEnds, name: str, size: int) -> None:
    writer, reader = ends(name)
    payloads = [b"before", os.urandom(size), b"after"]
    received: list[bytes] = []
    for payload in payloads:
        while not writer.put(ID, payload):
            writer.publish()
            received += [record.payload for record in receive(writer, reader, 1)]
    writer.publish()
    received += [record.payload for record in receive(writer, reader, 3 - len(received))]

    assert received == payloads


@both
def test_oversize_records_keep_their_place(ends: OpenEnds, name: str) -> None:
    writer, reader = ends(name, capacity=1 << 20)
    payloads = [b"a", b"b" * 300_000, b"c", b"d" * 270_000, b"e"]
    for payload in payloads:
        assert writer.put(ID, payload)
    writer.publish()

    assert [record.payload for record in receive(writer, reader, 5)] == payloads


@both
def test_a_payload_past_the_limit_is_refused_and_harms_nothing(ends: OpenEnds, name: str) -> None:
    writer, reader = ends(name, max_payload=5000)
    assert writer.put(ID, b"good")

    with pytest.raises(PayloadTooLargeError, match=r"5001 bytes is above .*\(5000\)"):
        writer.put(ID, bytes(5001))
    assert writer.put(ID, b"too")
    writer.publish()
    assert [record.payload for record in reader.drain()] == [b"good", b"too"]


@both
@pytest.mark.parametrize("size", [10, 10_000])
def test_an_event_id_of_another_length_harms_nothing(ends: OpenEnds, name: str, size: int) -> None:
    writer, reader = ends(name)
    with pytest.raises(ValueError, match="has 3 bytes, not 16"):
        writer.put(b"abc", bytes(size))

    assert writer.put(ID, bytes(10_000))
    writer.publish()
    assert receive(writer, reader, 1) == [Record(ID, bytes(10_000))]


@both
def test_an_end_attached_from_descriptors_sent_over_a_socket_works_and_is_not_inherited(
    channels: Callable[..., Channel], name: str
) -> None:
    channel = channels(name)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        socket.send_fds(ours, [b"x"], channel.fds("reader"))
        _, received, _, _ = socket.recv_fds(theirs, 1, 8)
    writer = channel.writer()
    reader = transport.attach_reader(name, received, 4096, 1 << 20)
    channel.close()
    writer.put(ID, b"payload")
    writer.publish()

    assert reader.drain() == [Record(ID, b"payload")]
    kept = [fd for fd in received if Path(f"/proc/self/fd/{fd}").is_symlink()]
    assert not any(os.get_inheritable(fd) for fd in kept)
    writer.close()
    reader.close()


@both
def test_every_descriptor_is_closed_by_close_and_a_second_close_is_harmless(name: str) -> None:
    before = open_descriptors()
    channel = transport.open_channel(name, 4096, 1 << 20)
    writer, reader = channel.writer(), channel.reader()
    writer.put(ID, bytes(10_000))
    writer.publish()
    assert open_descriptors() > before
    for _ in range(2):
        channel.close()
        writer.close()
        reader.close()

    assert open_descriptors() == before


@contextmanager
def room_for(count: int) -> Iterator[None]:
    """Let this process open no more than `count` descriptors."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(map(int, open_descriptors()))
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 20, hard))
    fillers = []
    try:
        with suppress(OSError):
            while True:
                fillers.append(os.dup(0))
        for _ in range(count):
            os.close(fillers.pop())
        yield
    finally:
        for filler in fillers:
            os.close(filler)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@both
def test_a_process_out_of_descriptors_gets_an_error_and_keeps_none(name: str) -> None:
    before = open_descriptors()
    opened = []
    for room in range(12):
        with room_for(room), ExitStack() as closing, suppress(OSError, TransportError):
            channel = transport.open_channel(name, 4096, 4096)
            closing.callback(channel.close)
            closing.callback(channel.writer().close)
            opened.append(room)
        assert open_descriptors() == before

    assert opened, "the last rooms were enough"
    assert opened == list(range(opened[0], 12))


@both
def test_a_channel_that_the_system_has_nothing_left_for_is_an_error_that_says_so(name: str) -> None:
    with room_for(1), pytest.raises(TransportError, match="of 4096 bytes: Too many open files"):
        transport.open_channel(name, 4096, 4096)


@both
def test_the_ends_outlive_the_channel(channels: Callable[..., Channel], name: str) -> None:
    channel = channels(name)
    writer, reader = channel.writer(), channel.reader()
    channel.close()
    writer.put(ID, b"payload")
    writer.publish()

    assert reader.drain() == [Record(ID, b"payload")]
    writer.close()
    reader.close()


@both
def test_an_oversize_record_for_a_reader_that_is_gone_is_no_failure(name: str) -> None:
    channel = transport.open_channel(name, 1024, 1 << 20)
    writer, reader = channel.writer(), channel.reader()
    channel.close()
    reader.close()
    writer.put(ID, bytes(100_000))
    writer.publish()
    writer.reclaim()
    writer.close()


@both
def test_a_writer_whose_reader_is_gone_fills_up_and_does_not_fail(name: str) -> None:
    channel = transport.open_channel(name, 1024, 1 << 20)
    writer, reader = channel.writer(), channel.reader()
    channel.close()
    reader.close()
    for _ in range(20):
        accepted = writer.put(ID, bytes(100))
        writer.publish()
        writer.reclaim()

    assert not accepted
    assert not writer.put(ID, bytes(10_000))
    writer.close()


def acknowledge_too_much(name: str, descriptors: list[int]) -> None:
    if name == "ring":
        os.eventfd_write(descriptors[2], 1000)
    else:
        os.write(descriptors[1], array.array("Q", [1000]).tobytes())


@both
def test_a_reader_that_gives_back_too_much_is_found_out(
    channels: Callable[..., Channel], name: str
) -> None:
    channel = channels(name)
    writer = channel.writer()
    acknowledge_too_much(name, channel.fds("reader"))

    with pytest.raises(RingCorruptError, match=r"gave back|acknowledged"):
        writer.reclaim()
    writer.close()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("zmq", "'zmq', which is not available in this version: use 'ring' or 'pipe'"),
        ("rings", "'rings', which does not exist: did you mean 'ring'"),
    ],
)
def test_a_transport_that_there_is_not_is_refused_with_a_cure(name: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        transport.open_channel(name, 4096, 4096)


@both
@pytest.mark.parametrize(("capacity", "limit"), [(1000, 4096), (4096, 0), (4096, 1 << 32)])
def test_sizes_that_cannot_be_are_refused_with_their_value(
    name: str, capacity: int, limit: int
) -> None:
    with pytest.raises(ConfigError, match=f"is ({capacity}|{limit}): use a"):
        transport.open_channel(name, capacity, limit)
