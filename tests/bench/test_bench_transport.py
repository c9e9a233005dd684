"""`bench transport` times records that really arrive in another process."""

import os
import time
from collections.abc import Sequence
from importlib.util import find_spec

import pytest
from bench_cli import by_name, finish, refusal, start

from bench.document import decode_document
from bench.transport.ends import WAYS, QueueWay, missing
from bench.transport.measure import batched, one_at_a_time
from tasker_mp.errors import EngineError

_HERE = [name for name in WAYS if missing(name) is None]


def test_every_way_is_measured_at_every_size() -> None:
    small = ("--records", "8", "--batch", "4", "--rounds", "1", "--json")
    output, errors = finish(start("postgresql:///unused", "transport", *small), 0)
    document = decode_document(output)
    series = by_name(document)
    for size in ("100 B", "300 B", "1 KB", "10 KB", "64 KB", "1 MB"):
        for mode in ("batched", "one at a time"):
            for way in _HERE:
                assert series[f"{way}, {size}, {mode}"].value > 0
                assert series[f"{way}, {size}, {mode}: CPU"].value > 0
            ratio = series[f"ring against multiprocessing.Queue, {size}, {mode}"].value
            queue, ring = (series[f"{way}, {size}, {mode}"].value for way in ("queue", "ring"))
            assert ratio == pytest.approx(queue / ring, rel=0.01)
    assert series["ring against multiprocessing.Queue, 300 B, batched"].goal == 5
    assert [len(table.rows) for table in document.tables] == [6, 6, 6, 6]
    if find_spec("zmq") is None:
        assert "zmq: pyzmq is not installed" in errors
        assert not any(name.startswith("zmq") for name in series)


def test_an_unknown_size_is_refused_with_the_known_ones() -> None:
    line = refusal("transport", "--size", "3 KB")
    assert "3 KB" in line
    assert "64 KB" in line


@pytest.mark.parametrize("name", _HERE)
def test_records_larger_than_the_way_holds_go_through(name: str) -> None:
    assert batched(WAYS[name], 1 << 20, 10, 5).clock > 0
    assert one_at_a_time(WAYS[name], 1 << 20, 2).clock > 0


class _Dying(QueueWay):
    def receive(self) -> list[bytes]:
        os._exit(3)


class _Cutting(QueueWay):
    def send(self, payloads: Sequence[bytes]) -> None:
        super().send([payload[:-1] for payload in payloads])


class _Slow(QueueWay):
    def receive(self) -> list[bytes]:
        time.sleep(0.01)
        return super().receive()


def test_the_time_is_that_until_the_last_record_was_read() -> None:
    stream, single = batched(_Slow, 100, 20, 5), one_at_a_time(_Slow, 100, 5)
    assert stream.clock > 9_000
    assert single.clock > 4_500  # both rest at once
    assert 0 < stream.processor < stream.clock


def test_a_receiver_that_dies_is_told() -> None:
    with pytest.raises(EngineError, match="receives ended"):
        batched(_Dying, 100, 10, 5)


def test_records_that_arrive_cut_are_not_counted() -> None:
    with pytest.raises(EngineError, match="100 bytes came back as 98"):
        one_at_a_time(_Cutting, 100, 5)
    with pytest.raises(EngineError, match="receives ended"):
        batched(_Cutting, 100, 10, 5)
