"""A stream of records that both sides of a test can compute, and a process that sends it.

    python record_stream.py TRANSPORT FD,FD,… CAPACITY MAX_PAYLOAD COUNT

It sends COUNT records as fast as it can, prints how often it had to wait, and exits; with a COUNT
of 0 it sends until it is killed.
"""

import select
import sys
from itertools import count

from tasker_mp import transport
from tasker_mp.transport.interface import Record, Writer

_PATTERN = bytes(range(251)) * 2000
_BATCH = 32


def record(number: int, capacity: int) -> Record:
    """Record `number` of the stream: mostly small, now and then oversize for its ring."""
    scrambled = number * 2654435761 >> 7
    size = scrambled % (3 * capacity if number % 997 == 500 else 700)
    start = number % 251
    return Record(number.to_bytes(16), _PATTERN[start : start + size])


def wait_for_room(writer: Writer) -> None:
    """As a worker does: hand over what there is, sleep until there is credit, take it."""
    writer.publish()
    credit = select.poll()
    credit.register(writer.credit_fileno(), select.POLLIN)
    credit.poll()
    writer.reclaim()


def send(writer: Writer, capacity: int, total: int) -> int:
    """Send the stream; how often it had to wait."""
    waits = 0
    for number in range(total) if total else count():
        while not writer.put(*record(number, capacity)):
            wait_for_room(writer)
            waits += 1
        if number % _BATCH == 0:
            writer.publish()
    writer.publish()
    while writer.stalled:
        wait_for_room(writer)
    return waits


if __name__ == "__main__":
    name, fds, *numbers = sys.argv[1:]
    capacity, max_payload, total = map(int, numbers)
    end = transport.attach_writer(name, [int(fd) for fd in fds.split(",")], capacity, max_payload)
    print(send(end, capacity, total))
