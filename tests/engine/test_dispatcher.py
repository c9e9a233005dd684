"""Claimed steps become events, shared out by who has room; what cannot be sent is refused."""

from uuid import uuid4

import msgspec
import pytest
from entries import entry

from tasker_mp.claimed_step import ClaimedStep
from tasker_mp.engine.dispatcher import Dispatcher
from tasker_mp.engine.queues import QueueOrder
from tasker_mp.engine.specs import SpecCache
from tasker_mp.errors import TransportError
from tasker_mp.inflight import Entry, InflightTable
from tasker_mp.messages import event_decoder
from tasker_mp.template.model import HandlerDefinition, StepDefinition, Template, canonical_json

_TEMPLATE = Template(
    "space", "flow", "1.2.3", (StepDefinition("a", HandlerDefinition("handlers.a.A")),)
)


class _Worker:
    """Takes up to `room` events; breaks where it is told to."""

    def __init__(self, room: int, *, broken: bool = False) -> None:
        self.limit = room
        self.broken = broken
        self.staged: list[Entry] = []
        self.published = 0
        self.killed = False

    @property
    def room(self) -> int:
        return self.limit - len(self.staged)

    def takes(self, entry: Entry) -> bool:
        return True

    def send(self, entry: Entry) -> bool:
        if self.broken:
            raise TransportError("gone")
        if self.room <= 0:
            return False
        self.staged.append(entry)
        return True

    def publish(self) -> None:
        self.published += 1

    def kill(self) -> None:
        self.killed = True


def _dispatcher(limit: int = 1 << 20) -> tuple[Dispatcher, InflightTable]:
    inflight, specs = InflightTable(), SpecCache(100)
    specs.add(5, canonical_json(_TEMPLATE))
    return Dispatcher(inflight, specs, limit), inflight


def _claimed(context: bytes = b"{}") -> ClaimedStep:
    return ClaimedStep(
        task=uuid4().bytes,
        step_no=1,
        event_id=uuid4().bytes,
        template_id=5,
        name="a",
        attempt=2,
        crashes=1,
        claim_id=9,
        correlation_id=None,
        context=context,
        dependencies=b'{"b":{"n":1}}',
    )


def test_a_claimed_step_becomes_an_event_with_all_that_its_worker_needs() -> None:
    dispatcher, inflight = _dispatcher()
    step = _claimed(b'{"n":36893488147419103232}')
    assert dispatcher.accept([step]) == []
    (entry,) = dispatcher.backlog
    event = event_decoder.decode(entry.payload)
    assert (event.task, event.step_no, event.name, event.attempt) == (step.task.hex(), 1, "a", 2)
    assert bytes(event.context) == b'{"n":36893488147419103232}'
    assert bytes(event.dependencies) == b'{"b":{"n":1}}'
    assert msgspec.json.decode(event.spec)["version"] == "1.2.3"
    assert (entry.claim_id, entry.crashes) == (9, 1)
    assert inflight.knows(step.event_id)


def test_a_step_that_is_told_twice_is_taken_once() -> None:
    dispatcher, inflight = _dispatcher()
    step = _claimed()
    dispatcher.accept([step, step])
    dispatcher.accept([step])
    assert (len(dispatcher.backlog), inflight.held) == (1, 1)


def test_an_event_above_the_limit_is_refused_for_good_and_its_neighbours_go_on() -> None:
    dispatcher, inflight = _dispatcher(limit=2000)
    fits, large = _claimed(), _claimed(b'"' + b"x" * 2000 + b'"')
    (refused,) = dispatcher.accept([large, fits])
    assert refused.entry.event_id == large.event_id
    assert refused.state == "error"
    assert b"above [ring] max_payload_bytes = 2000" in refused.payload
    assert [e.event_id for e in dispatcher.backlog] == [fits.event_id]
    assert (len(inflight), inflight.held) == (1, 2)


def test_a_small_batch_is_shared_evenly_and_published_once_each() -> None:
    dispatcher, _ = _dispatcher()
    dispatcher.accept([_claimed() for _ in range(10)])
    workers = [_Worker(100), _Worker(100)]
    dispatcher.dispatch(workers)
    assert [len(w.staged) for w in workers] == [5, 5]
    assert [w.published for w in workers] == [1, 1]
    assert dispatcher.dispatched == 10


def test_what_nobody_has_room_for_waits_in_its_order() -> None:
    dispatcher, _ = _dispatcher()
    steps = [_claimed() for _ in range(10)]
    dispatcher.accept(steps)
    workers = [_Worker(3), _Worker(0), _Worker(2)]
    dispatcher.dispatch(workers)
    assert [len(w.staged) for w in workers] == [3, 0, 2]
    assert [w.published for w in workers] == [1, 0, 1]
    assert [e.event_id for e in dispatcher.backlog] == [s.event_id for s in steps[5:]]


def test_a_worker_that_cannot_be_reached_is_killed_and_the_others_take_its_share() -> None:
    dispatcher, _ = _dispatcher()
    dispatcher.accept([_claimed() for _ in range(4)])
    workers = [_Worker(2, broken=True), _Worker(100)]
    dispatcher.dispatch(workers)
    assert len(dispatcher.backlog) == 2
    dispatcher.dispatch(workers[1:])  # once the dead one is gone
    assert (workers[0].killed, workers[1].killed) == (True, False)
    assert len(workers[1].staged) == 4
    assert not dispatcher.backlog


def test_what_a_worker_never_started_goes_first_again_in_its_order() -> None:
    dispatcher, _ = _dispatcher()
    dispatcher.accept([_claimed()])
    waiting = dispatcher.backlog[0]
    returned = [entry(), entry()]
    returned[0].worker = 3
    dispatcher.requeue(returned)
    assert list(dispatcher.backlog) == [*returned, waiting]
    assert returned[0].worker is None


def test_what_is_forgotten_is_neither_sent_nor_in_flight() -> None:
    dispatcher, inflight = _dispatcher()
    dispatcher.accept([_claimed() for _ in range(3)])
    assert len(dispatcher.forget()) == 3
    assert (len(dispatcher.backlog), len(inflight), inflight.held) == (0, 0, 3)


def test_queues_come_by_priority_and_namespaces_take_turns() -> None:
    order = QueueOrder(["a", "b", "c"])
    low_b, high_c = "worker_b_queue_low", "worker_c_queue_high"
    order.mark_wet([low_b, "worker_a_queue", high_c, "worker_elsewhere_queue"])
    assert order.take_wet() == [high_c, "worker_a_queue", low_b]
    assert order.take_wet() == []
    order.mark_wet(order.all)
    assert order.take_wet() == [
        f"worker_{namespace}_queue{suffix}"
        for suffix in ("_high", "", "_low")
        for namespace in "cab"
    ]


def test_without_namespaces_there_is_nothing_to_claim() -> None:
    assert QueueOrder([]).take_wet() == []


@pytest.mark.parametrize("count", [1, 2, 7, 100])
def test_nothing_is_lost_or_sent_twice_however_the_room_falls(count: int) -> None:
    dispatcher, _ = _dispatcher()
    steps = [_claimed() for _ in range(count)]
    dispatcher.accept(steps)
    workers = [_Worker(2), _Worker(5), _Worker(1)]
    sent: list[bytes] = []
    while dispatcher.backlog:
        dispatcher.dispatch(workers)
        for worker in workers:
            sent += [e.event_id for e in worker.staged]
            worker.staged.clear()
    assert sorted(sent) == sorted(step.event_id for step in steps)
