"""Carries records between the supervisor and a worker; holds the one table of transports."""

import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple

from tasker_mp.errors import ConfigError, TransportError
from tasker_mp.nearest import suggestion
from tasker_mp.ring.layout import MAX_LENGTH
from tasker_mp.transport.interface import Channel, Reader, Writer
from tasker_mp.transport.memory import MemoryChannel, MemoryReader, MemoryWriter
from tasker_mp.transport.pipe import PipeChannel, PipeReader, PipeWriter


class _Transport(NamedTuple):
    channel: Callable[[int, int], Channel]
    reader: Callable[[Sequence[int], int, int], Reader]
    writer: Callable[[Sequence[int], int, int], Writer]


_TRANSPORTS = {
    "ring": _Transport(MemoryChannel, MemoryReader, MemoryWriter),
    "pipe": _Transport(PipeChannel, PipeReader, PipeWriter),
}


def open_channel(transport: str, capacity_bytes: int, max_payload_bytes: int) -> Channel:
    """A new channel, for payloads of up to `max_payload_bytes`.

    `ConfigError` where this system or version has no such transport or size, `TransportError` where
    the system has no memory or descriptors left for it.
    """
    chosen = _named(transport)
    if not 0 < max_payload_bytes <= MAX_LENGTH:
        raise ConfigError(
            f"ring.max_payload_bytes is {max_payload_bytes}: use a number from 1 to {MAX_LENGTH}"
        )
    try:
        return chosen.channel(capacity_bytes, max_payload_bytes)
    except OSError as error:
        raise TransportError(
            f"cannot make a {transport} of {capacity_bytes} bytes: {error.strerror}"
        ) from error


def attach_reader(
    transport: str, fds: Sequence[int], capacity_bytes: int, max_payload_bytes: int
) -> Reader:
    """The receiving end, from the descriptors that `fds("reader")` named; takes them over."""
    return _named(transport).reader(fds, capacity_bytes, max_payload_bytes)


def attach_writer(
    transport: str, fds: Sequence[int], capacity_bytes: int, max_payload_bytes: int
) -> Writer:
    """The sending end, from the descriptors that `fds("writer")` named; takes them over."""
    return _named(transport).writer(fds, capacity_bytes, max_payload_bytes)


def _named(transport: str) -> _Transport:
    if transport == "zmq":
        raise ConfigError(
            "ring.transport is 'zmq', which is not available in this version: use 'ring' or 'pipe'"
        )
    if transport not in _TRANSPORTS:
        raise ConfigError(
            f"ring.transport is '{transport}', which does not exist: "
            f"{suggestion(transport, _TRANSPORTS)}"
        )
    if transport == "ring" and sys.platform != "linux":
        raise ConfigError("ring.transport is 'ring', which only Linux has: use 'pipe'")
    return _TRANSPORTS[transport]
