"""Channels that are closed after the test, and what a channel might leave behind."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tasker_mp import transport
from tasker_mp.transport.interface import Channel, Reader, Writer

OpenEnds = Callable[..., tuple[Writer, Reader]]


def open_descriptors() -> set[str]:
    return {path.name for path in Path("/proc/self/fd").iterdir() if path.is_symlink()}


def shared_memory_names() -> set[str]:
    """Names in /dev/shm, but those of a PostgreSQL server that runs beside this test."""
    names = {path.name for path in Path("/dev/shm").iterdir()}
    return {name for name in names if not name.startswith("PostgreSQL.")}


@pytest.fixture
def channels() -> Iterator[Callable[..., Channel]]:
    """Opens channels: transport, capacity and largest payload in bytes."""
    with ExitStack() as closing:

        def open_channel(name: str, capacity: int = 4096, max_payload: int = 1 << 20) -> Channel:
            channel = transport.open_channel(name, capacity, max_payload)
            closing.callback(channel.close)
            return channel

        yield open_channel


@pytest.fixture
def ends(channels: Callable[..., Channel]) -> Iterator[OpenEnds]:
    """Opens channels and claims both ends in this process."""
    with ExitStack() as closing:

        def open_ends(
            name: str, capacity: int = 4096, max_payload: int = 1 << 20
        ) -> tuple[Writer, Reader]:
            channel = channels(name, capacity, max_payload)
            writer, reader = channel.writer(), channel.reader()
            closing.callback(writer.close)
            closing.callback(reader.close)
            return writer, reader

        yield open_ends
