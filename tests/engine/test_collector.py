"""Results settle their steps once; batches keep their order; counters follow."""

import msgspec
import pytest
from entries import entry
from msgspec import Raw

from tasker_mp.engine.collector import Collector
from tasker_mp.engine.statistics import Statistics
from tasker_mp.inflight import Entry, InflightTable
from tasker_mp.messages import StepError, StepOutcome, encode
from tasker_mp.transport.interface import Record

_MANY = 1000


def _collector(count: int) -> tuple[Collector, Statistics, list[Entry]]:
    inflight, statistics = InflightTable(), Statistics()
    entries = [entry() for _ in range(count)]
    for held in entries:
        inflight.add(held)
    return Collector(inflight, statistics), statistics, entries


def _record(held: Entry, outcome: StepOutcome | None = None) -> Record:
    return Record(held.event_id, encode(outcome or StepOutcome(Raw(b'{"n":1}'), run_ns=2_000_000)))


def test_a_result_is_accepted_once_and_a_second_one_counted() -> None:
    collector, statistics, (held,) = _collector(1)
    assert collector.collect([_record(held)]) == 1
    assert collector.collect([_record(held), _record(entry())]) == 0
    assert len(collector) == 1
    assert statistics.duplicate_completions == 2
    assert (statistics.processed, statistics.succeeded) == (1, 1)


def test_batches_come_oldest_first_and_go_back_to_the_front() -> None:
    collector, _, entries = _collector(5)
    collector.collect([_record(held) for held in entries])
    first = collector.take(2)
    assert [settled.entry for settled in first] == entries[:2]
    collector.put_back(first)
    assert [settled.entry for settled in collector.take(_MANY)] == entries
    assert collector.take(_MANY) == []


def test_failures_are_counted_by_what_becomes_of_them() -> None:
    collector, statistics, entries = _collector(3)
    again = StepOutcome(error=StepError("m", "t", retryable=True))
    for_good = StepOutcome(error=StepError("m", "t", retryable=False))
    collector.collect(map(_record, entries, [again, for_good, StepOutcome()]))
    counted = (statistics.succeeded, statistics.retried, statistics.failed, statistics.processed)
    assert counted == (1, 1, 1, 3)


@pytest.mark.parametrize(
    "payload", [b"", b"garbage", b'{"a":1}', b"[" * 5000, b'[null,null,["\xff","x"],1]']
)
def test_an_answer_that_cannot_be_read_fails_its_own_step_and_no_other(payload: bytes) -> None:
    collector, _, (broken, fine) = _collector(2)
    collector.collect([Record(broken.event_id, payload), _record(fine)])
    first, second = collector.take(_MANY)
    assert (first.state, second.state) == ("error", "complete")
    assert "could not be read" in msgspec.json.decode(first.payload)["message"]


def test_a_kind_of_step_is_expected_to_take_as_long_as_it_took() -> None:
    collector, _, (held,) = _collector(1)
    collector.collect([_record(held)])
    assert held.pace.usual == pytest.approx(0.002)
