"""The ways that are compared: each has a sending end, and a receiving end in another process."""

import multiprocessing
import os
import queue
import select
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from tasker_mp.config import RingConfig
from tasker_mp.errors import EngineError
from tasker_mp.transport import open_channel
from tasker_mp.transport.interface import Channel, Reader, Writer

LIMIT = 30.0
_EVENT = bytes(range(16))
_ZMQ_QUEUED = 0  # no limit: what is sent waits in memory


class Way(Protocol):
    """Made before the fork; each process then claims its end, once, and keeps to it."""

    def claim_sender(self) -> None: ...
    def claim_receiver(self) -> None: ...
    def send(self, payloads: Sequence[bytes]) -> None:
        """All of them, together where the way knows how."""

    def receive(self) -> list[bytes]:
        """At least one."""

    def close(self) -> None: ...


class ChannelWay:
    """One of the engine's own transports, used as the supervisor and its workers use it."""

    def __init__(self, transport: str) -> None:
        ring = RingConfig()
        self._channel: Channel = open_channel(
            transport, ring.capacity_bytes, ring.max_payload_bytes
        )
        self._writer: Writer | None = None
        self._reader: Reader | None = None
        self._poll = select.poll()

    def claim_sender(self) -> None:
        self._writer = self._channel.writer()
        self._poll.register(self._writer.credit_fileno(), select.POLLIN)
        self._channel.close()

    def claim_receiver(self) -> None:
        self._reader = self._channel.reader()
        self._poll.register(self._reader.fileno(), select.POLLIN)
        self._channel.close()

    def send(self, payloads: Sequence[bytes]) -> None:
        writer = self._writer
        assert writer is not None
        for payload in payloads:
            while not writer.put(_EVENT, payload):
                writer.publish()
                self._await_credit(writer)
        writer.publish()
        while writer.stalled:
            self._await_credit(writer)

    def _await_credit(self, writer: Writer) -> None:
        _await(self._poll)
        writer.reclaim()

    def receive(self) -> list[bytes]:
        assert self._reader is not None
        while not (records := self._reader.drain()):
            _await(self._poll)
        return [record.payload for record in records]

    def close(self) -> None:
        for end in (self._writer, self._reader, self._channel):
            if end is not None:
                end.close()


class QueueWay:
    """`multiprocessing.Queue`: an object at a time, which is a payload, or a list of them."""

    def __init__(self, *, lists: bool = False) -> None:
        self._queue: multiprocessing.Queue[Any] = multiprocessing.get_context("fork").Queue()
        self._lists = lists

    def claim_sender(self) -> None:
        pass

    def claim_receiver(self) -> None:
        pass

    def send(self, payloads: Sequence[bytes]) -> None:
        if self._lists:
            self._queue.put(list(payloads))
            return
        for payload in payloads:
            self._queue.put(payload)

    def receive(self) -> list[bytes]:
        try:
            found = self._queue.get(timeout=LIMIT)
        except queue.Empty:
            raise _silent() from None
        return found if self._lists else [found]

    def close(self) -> None:
        self._queue.cancel_join_thread()
        self._queue.close()


class ZmqWay:
    """pyzmq, PUSH and PULL over a Unix socket; it gathers what is sent quickly by itself."""

    def __init__(self) -> None:
        self._closing = ExitStack()
        folder = self._closing.enter_context(tempfile.TemporaryDirectory(prefix="tasker-mp-zmq-"))
        self._owner = os.getpid()
        self._address = f"ipc://{Path(folder) / 'socket'}"
        self._zmq: Any = import_module("zmq")
        self._socket: Any = None

    def claim_sender(self) -> None:
        self._claim(self._zmq.PUSH).bind(self._address)

    def claim_receiver(self) -> None:
        self._claim(self._zmq.PULL).connect(self._address)

    def _claim(self, kind: int) -> Any:
        # Its contexts have threads, which a fork would lose: made after it.
        self._socket = self._zmq.Context().socket(kind)
        for option in (self._zmq.SNDHWM, self._zmq.RCVHWM):
            self._socket.setsockopt(option, _ZMQ_QUEUED)
        self._socket.setsockopt(self._zmq.LINGER, 0)
        for option in (self._zmq.SNDTIMEO, self._zmq.RCVTIMEO):
            self._socket.setsockopt(option, round(LIMIT * 1000))
        return self._socket

    def send(self, payloads: Sequence[bytes]) -> None:
        for payload in payloads:
            self._socket.send(payload)

    def receive(self) -> list[bytes]:
        try:
            return [self._socket.recv()]
        except self._zmq.Again:
            raise _silent() from None

    def close(self) -> None:
        if self._socket is not None:
            context = self._socket.context
            self._socket.close()
            context.term()
        if os.getpid() == self._owner:
            self._closing.close()


WAYS: dict[str, Callable[[], Way]] = {
    "ring": lambda: ChannelWay("ring"),
    "pipe": lambda: ChannelWay("pipe"),
    "zmq": ZmqWay,
    "queue": QueueWay,
    "queue of lists": lambda: QueueWay(lists=True),
}


def missing(name: str) -> str | None:
    """Why this way cannot be measured here."""
    if name == "zmq" and find_spec("zmq") is None:
        return "zmq: pyzmq is not installed: pip install pyzmq"
    return None


def _await(poll: "select.poll") -> None:
    if not poll.poll(LIMIT * 1000):
        raise _silent()


def _silent() -> EngineError:
    return EngineError(f"the other process was silent for {LIMIT:g} s")
