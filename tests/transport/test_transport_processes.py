"""Two real processes: every record arrives whole and in order, whatever becomes of the writer."""

import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tasker_mp.transport.interface import Channel, Reader, Record

from .conftest import shared_memory_names
from .record_stream import record

CAPACITY = 1 << 16
MAX_PAYLOAD = 1 << 20
SECONDS = 30
both = pytest.mark.parametrize("name", ["ring", "pipe"])


@contextmanager
def sending(channel: Channel, name: str, count: int) -> Iterator[subprocess.Popen[str]]:
    """A process that sends `count` records; killed at the end, if it still lives."""
    fds = channel.fds("writer")
    script = str(Path(__file__).with_name("record_stream.py"))
    arguments = [name, ",".join(map(str, fds)), str(CAPACITY), str(MAX_PAYLOAD), str(count)]
    process = subprocess.Popen(
        [sys.executable, script, *arguments], pass_fds=fds, stdout=subprocess.PIPE, text=True
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def wait_and_drain(reader: Reader) -> list[Record]:
    ready = select.poll()
    ready.register(reader.fileno(), select.POLLIN)
    assert ready.poll(SECONDS * 1000), f"nothing came within {SECONDS} s"
    return reader.drain()


def check(records: list[Record], first: int) -> int:
    """Compare with the stream from number `first` on; the number of the next."""
    for number, got in enumerate(records, first):
        assert got == record(number, CAPACITY)
    return first + len(records)


@both
def test_100_000_records_arrive_whole_and_in_order_from_a_writer_that_must_wait(
    channels: Callable[..., Channel], name: str
) -> None:
    channel = channels(name, CAPACITY, MAX_PAYLOAD)
    reader = channel.reader()
    with sending(channel, name, 100_000) as process:
        number = 0
        while number < 100_000:
            number = check(wait_and_drain(reader), number)
        output, _ = process.communicate(timeout=SECONDS)

    assert process.returncode == 0
    assert int(output) > 0, "the writer should have been faster than its reader"
    assert reader.drain() == []
    reader.close()


@both
def test_a_writer_killed_in_mid_stream_leaves_whole_records_only(
    channels: Callable[..., Channel], name: str
) -> None:
    channel = channels(name, CAPACITY, MAX_PAYLOAD)
    reader = channel.reader()
    with sending(channel, name, 0) as process:
        number = 0
        while number < 3000:
            number = check(wait_and_drain(reader), number)
        process.send_signal(signal.SIGKILL)
        process.wait(SECONDS)
        number = check(reader.drain(), number)

    assert check(reader.drain(), number) == number, "one drain takes all that was published"
    reader.close()


def test_a_killed_writer_leaves_no_name_in_shared_memory(
    channels: Callable[..., Channel],
) -> None:
    before = shared_memory_names()
    channel = channels("ring", CAPACITY, MAX_PAYLOAD)
    reader = channel.reader()
    with sending(channel, "ring", 0) as process:
        wait_and_drain(reader)
        process.kill()
        process.wait(SECONDS)
    reader.close()

    assert shared_memory_names() - before == set()


WITHOUT_LINUX = """
import fcntl, os, select, socket, sys
for module, names in (
    (os, ["memfd_create", "MFD_CLOEXEC", "MFD_ALLOW_SEALING", "eventfd", "eventfd_read",
          "eventfd_write", "EFD_NONBLOCK", "EFD_CLOEXEC", "posix_fallocate"]),
    (fcntl, ["F_ADD_SEALS", "F_GET_SEALS", "F_SEAL_SHRINK", "F_SEAL_GROW", "F_SEAL_WRITE"]),
    (socket, ["MSG_CMSG_CLOEXEC", "SOCK_SEQPACKET"]),
):
    for name in names:
        delattr(module, name)
sys.platform = "darwin"
from tasker_mp import transport
channel = transport.open_channel("pipe", 4096, 4096)
writer, reader = channel.writer(), channel.reader()
writer.put(bytes(16), b"payload")
writer.publish()
assert reader.drain() == [(bytes(16), b"payload")]
try:
    transport.open_channel("ring", 4096, 4096)
except transport.ConfigError as error:
    print(error)
"""


def test_where_there_are_no_memfds_the_pipe_works_and_the_ring_says_why_not() -> None:
    output = subprocess.run(
        [sys.executable, "-c", WITHOUT_LINUX], check=True, capture_output=True, text=True
    ).stdout

    assert output == "ring.transport is 'ring', which only Linux has: use 'pipe'\n"
