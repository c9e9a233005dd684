"""What a worker and its supervisor tell each other through a page and a gate."""

import os
import threading

from tasker_mp.worker.gate import Gate
from tasker_mp.worker.page import PLACES, Joined, Turn, WorkerPage, create_page


def _two_views() -> tuple[WorkerPage, WorkerPage]:
    fd = create_page()
    try:
        return WorkerPage(fd), WorkerPage(fd)
    finally:
        os.close(fd)


def test_a_fresh_page_says_nothing() -> None:
    page, _ = _two_views()
    assert (page.started, page.finished, page.busy_since_ns, page.revoked) == (0, 0, 0, 0)
    assert not page.ready
    assert not page.adopted


def test_each_mark_is_seen_from_the_other_side() -> None:
    worker, supervisor = _two_views()
    worker.mark_ready()
    worker.mark_started(3, 12345)
    assert (supervisor.ready, supervisor.started, supervisor.busy_since_ns) == (True, 3, 12345)
    assert supervisor.finished == 0
    worker.mark_finished(3)
    assert (supervisor.finished, supervisor.busy_since_ns) == (3, 0)
    supervisor.adopt()
    supervisor.revoke(9)
    assert (worker.adopted, worker.revoked) == (True, 9)


def test_numbers_have_all_of_64_bits() -> None:
    worker, supervisor = _two_views()
    worker.mark_started(2**64 - 1, 2**63)
    assert (supervisor.started, supervisor.busy_since_ns) == (2**64 - 1, 2**63)


def test_a_closed_page_can_be_forgotten() -> None:
    worker, supervisor = _two_views()
    worker.mark_started(1, 1)
    worker.close()
    assert supervisor.started == 1
    supervisor.close()


def test_a_gate_has_one_holder_at_a_time() -> None:
    one = Gate(Gate.create())
    other = Gate(os.dup(one._fd))
    assert one.try_take()
    assert not other.try_take()
    one.give()
    assert other.try_take()
    assert not one.try_take()
    one.close()
    other.close()


def test_who_takes_a_gate_waits_for_its_holder() -> None:
    gate = Gate(Gate.create())
    assert gate.try_take()
    taken = threading.Event()
    waiting = threading.Thread(target=lambda: (gate.take(), taken.set()))
    waiting.start()
    assert not taken.wait(0.05)
    gate.give()
    assert taken.wait(5)
    waiting.join()
    gate.close()


def test_what_runs_beside_others_is_in_the_table_until_it_leaves() -> None:
    worker, supervisor = _two_views()
    for place, (number, kind) in enumerate([(4, "coroutine"), (5, "thread")]):
        worker.mark_started(number, 100 + number)
        assert supervisor.started == number != supervisor.finished, "plain, as far as one sees"
        worker.join(place, Joined(number, kind, 100 + number))
        assert supervisor.started == supervisor.finished
    assert supervisor.joined() == {
        4: Joined(4, "coroutine", 104),
        5: Joined(5, "thread", 105),
    }
    assert supervisor.busy_since_ns == 104
    worker.leave(0)
    assert list(supervisor.joined()) == [5]
    worker.mark_started(6, 90)
    assert supervisor.busy_since_ns == 90
    worker.mark_finished(6)
    worker.leave(1)
    assert (supervisor.joined(), supervisor.busy_since_ns) == ({}, 0)


def test_the_table_has_room_for_all_that_may_run_at_once() -> None:
    worker, supervisor = _two_views()
    assert PLACES > 200 + 200
    worker.join(PLACES - 1, Joined(2**62, "thread", 2**63))
    assert supervisor.joined() == {2**62: Joined(2**62, "thread", 2**63)}


def test_whose_turn_it_is_is_seen_from_the_other_side() -> None:
    worker, supervisor = _two_views()
    assert supervisor.turn is None
    worker.hold(7, 12345)
    assert supervisor.turn == Turn(7, 12345)
    worker.let_go()
    assert supervisor.turn is None
