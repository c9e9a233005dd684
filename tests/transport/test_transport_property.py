"""Any sequence of puts, publications and drains: ring and pipe deliver what was put, in order."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tasker_mp import transport
from tasker_mp.transport.interface import Reader, Record, Writer

MAX_PAYLOAD = 3000
PUBLISH, DRAIN = -1, -2
_LIMIT = 1000

capacities = st.integers(8, 40).map(lambda units: units * 32)
# Sizes about the limits of the smallest rings: inline or not, one unit more or less, oversize.
operations = st.lists(
    st.one_of(
        st.sampled_from([PUBLISH, DRAIN]),
        st.integers(0, 130),
        st.sampled_from([31, 32, 33, 63, 64, 65, 96, 128]),
        st.integers(0, MAX_PAYLOAD),
    ),
    max_size=60,
)


def run(name: str, capacity: int, steps: list[int]) -> tuple[list[Record], list[Record]]:
    """What was put and what arrived."""
    channel = transport.open_channel(name, capacity, MAX_PAYLOAD)
    writer, reader = channel.writer(), channel.reader()
    put: list[Record] = []
    arrived: list[Record] = []
    try:
        for step in steps:
            if step == PUBLISH:
                writer.publish()
            elif step == DRAIN:
                arrived += reader.drain()
            else:
                record = Record(len(put).to_bytes(16), bytes([len(put) % 256]) * step)
                arrived += put_in_the_end(writer, reader, record)
                put.append(record)
        writer.publish()
        for _ in range(_LIMIT):
            arrived += reader.drain()
            writer.reclaim()
            if len(arrived) == len(put):
                break
        assert reader.drain() == []
    finally:
        for end in (writer, reader, channel):
            end.close()
    return put, arrived


def put_in_the_end(writer: Writer, reader: Reader, record: Record) -> list[Record]:
    """Put a record, letting the reader make room as often as it takes; what arrived meanwhile."""
    arrived: list[Record] = []
    for _ in range(_LIMIT):
        if writer.put(*record):
            return arrived
        writer.publish()
        arrived += reader.drain()
        writer.reclaim()
    pytest.fail(f"a record of {len(record.payload)} bytes never fits")


@settings(max_examples=150, deadline=None)
@given(capacity=capacities, steps=operations)
@example(capacity=256, steps=[0, 64, 64, 64, PUBLISH, DRAIN, 64, 64, 64, 64])
@example(capacity=256, steps=[MAX_PAYLOAD, 1, MAX_PAYLOAD, DRAIN, 1, MAX_PAYLOAD])
def test_ring_and_pipe_deliver_the_same_and_all_of_it(capacity: int, steps: list[int]) -> None:
    put, from_ring = run("ring", capacity, steps)
    _, from_pipe = run("pipe", capacity, steps)

    assert from_ring == put
    assert from_pipe == put
