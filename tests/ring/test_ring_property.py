"""Any sequence of puts, stores, drains and credits: the ring is a bounded queue."""

from collections import deque

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tasker_mp.ring import Record, RingReader, RingWriter, layout


class RingAgainstDeque(RuleBasedStateMachine):
    """`staged`, `stored` hold what must come out; `owed` the units drained and not yet credited."""

    @initialize(
        units=st.integers(8, 40),
        sequence=st.sampled_from([0, 2**32 - 1, 2**32 - 5, 2**32 - 40]),
    )
    def open(self, units: int, sequence: int) -> None:
        self.capacity = units * 32
        memory = memoryview(bytearray(self.capacity))
        self.writer = RingWriter(memory, sequence)
        self.reader = RingReader(memory.toreadonly(), sequence)
        self.staged: list[Record] = []
        self.stored: deque[Record] = deque()
        self.owed = 0
        self.number = 0

    @rule(data=st.data(), kind=st.sampled_from([layout.DATA, layout.DATA, layout.SPILL]))
    def put(self, data: st.DataObject, kind: int) -> None:
        length = data.draw(st.integers(0, self.capacity // 4))
        self.number += 1
        record = Record(self.number.to_bytes(16), bytes([self.number % 256]) * length)
        fits = self.writer.fits(length)
        assert self.writer.put(*record, kind) is fits
        if fits:
            self.staged.append(record)
        else:
            assert self.staged or self.stored or self.owed, "an empty ring must take any record"

    @rule()
    def store(self) -> None:
        assert self.writer.store() == len(self.staged)
        self.stored.extend(self.staged)
        self.staged.clear()

    @precondition(lambda self: self.stored)
    @rule(data=st.data())
    def drain(self, data: st.DataObject) -> None:
        count = data.draw(st.integers(1, len(self.stored)))
        drained = self.reader.drain(count)
        assert drained.damage is None
        assert drained.records == [self.stored.popleft() for _ in range(count)]
        self.owed += drained.freed_bytes // 32

    @precondition(lambda self: self.owed)
    @rule(data=st.data())
    def credit(self, data: st.DataObject) -> None:
        units = data.draw(st.integers(1, self.owed))
        self.writer.credit(units)
        self.owed -= units

    @invariant()
    def what_is_out_never_exceeds_the_ring(self) -> None:
        assert 0 <= self.writer.produced - self.writer.consumed <= self.capacity

    def teardown(self) -> None:
        if hasattr(self, "writer"):
            self.store()
            assert self.reader.drain(len(self.stored)).records == list(self.stored)


RingAgainstDeque.TestCase.settings = settings(
    max_examples=100,
    stateful_step_count=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestRingAgainstDeque = RingAgainstDeque.TestCase
