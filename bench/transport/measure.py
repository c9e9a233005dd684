"""Times records on their way to another process: a stream of batches, or one after its answer."""

import os
import select
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from struct import Struct
from typing import NamedTuple

from bench.transport.ends import LIMIT, Way
from tasker_mp.errors import EngineError
from tasker_mp.process import die_with_parent

_ANSWER = Struct("d")

Say = Callable[[], None]


class Marks(NamedTuple):
    """Seconds by the clock, and of processor time, of both processes, since they began."""

    clock: float
    processor: float


class Cost(NamedTuple):
    """Microseconds a record: by the clock, and of processor time, of both processes together."""

    clock: float
    processor: float


def batched(make: Callable[[], Way], size: int, count: int, batch: int) -> Cost:
    """`count` records in batches, until the other process has read all."""
    payloads = _distinct(size, batch)
    with ExitStack() as stack:
        way = make()
        stack.callback(way.close)

        def other(say: Say) -> None:
            way.claim_receiver()
            for expected in (batch, count):
                _read(way, expected, size)
                say()

        with _other_process(other) as hear:
            way.claim_sender()
            way.send(payloads)  # connects, maps, imports
            before = hear()
            for start in range(0, count, batch):
                way.send(payloads[: count - start])
            return _cost(before, hear(), count)


def one_at_a_time(make: Callable[[], Way], size: int, count: int) -> Cost:
    """Half of the way there and back, the next record after that."""
    payload = os.urandom(size)
    with ExitStack() as stack:
        there, back = make(), make()
        stack.callback(there.close)
        stack.callback(back.close)

        def other(say: Say) -> None:
            there.claim_receiver()
            back.claim_sender()
            for expected in (1, count):
                for _ in range(expected):
                    back.send(there.receive())
                say()

        with _other_process(other) as hear:
            there.claim_sender()
            back.claim_receiver()
            _bounce(there, back, payload)
            before = hear()
            for _ in range(count):
                _bounce(there, back, payload)
            return _cost(before, hear(), 2 * count)


def _cost(before: Marks, after: Marks, records: int) -> Cost:
    clock, processor = (now - then for now, then in zip(after, before, strict=True))
    return Cost(clock * 1e6 / records, processor * 1e6 / records)


def _distinct(size: int, count: int) -> list[bytes]:
    """One object many times would be pickled once."""
    payload = bytearray(os.urandom(size))
    return [bytes(payload) for _ in range(count)]


def _bounce(there: Way, back: Way, payload: bytes) -> None:
    there.send([payload])
    (found,) = back.receive()
    if len(found) != len(payload):
        raise EngineError(f"{len(payload)} bytes came back as {len(found)}")


def _read(way: Way, count: int, size: int) -> None:
    """So many records; what comes is taken out, as a worker would."""
    seen = 0
    while seen < count:
        records = way.receive()
        seen += len(records)
        if any(len(record) != size for record in records):
            raise EngineError(f"a record is not of {size} bytes")


@contextmanager
def _other_process(run: Callable[[Say], None]) -> Iterator[Callable[[], Marks]]:
    """A fork that runs it; gone with the block, which may hear what it says."""
    parent = os.getpid()
    heard, said = os.pipe()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends it
            die_with_parent(parent)
            run(lambda: _say(said))
            status = 0
            signal.pause()  # until then what it sent may still be under way
        finally:
            os._exit(status)
    os.close(said)
    try:
        yield lambda: _hear(heard)
    finally:
        os.close(heard)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _say(fd: int) -> None:
    os.write(fd, _ANSWER.pack(time.process_time()))


def _hear(fd: int) -> Marks:
    """Once the other process is done; `EngineError` where it has ended or is silent."""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    answer = os.read(fd, _ANSWER.size) if poll.poll(LIMIT * 1000) else b""
    if not answer:
        raise EngineError("the process that receives ended, or was silent")
    (spent,) = _ANSWER.unpack(answer)
    return Marks(time.perf_counter(), time.process_time() + spent)
