"""Who is to blame for a worker's death, page by page: no process is needed."""

import os
from collections.abc import Iterator

import pytest
from entries import entry

from tasker_mp.engine.blame import find_blame
from tasker_mp.inflight import Entry
from tasker_mp.worker.page import Joined, Kind, WorkerPage, create_page


@pytest.fixture
def page() -> Iterator[WorkerPage]:
    fd = create_page()
    page = WorkerPage(fd)
    os.close(fd)
    yield page
    page.close()


def _sent(count: int) -> list[Entry]:
    entries = [entry() for _ in range(count)]
    for number, one in enumerate(entries, 1):
        one.number = number
    return entries


def _start(page: WorkerPage, number: int, kind: Kind = "coroutine") -> None:
    page.mark_started(number, 5)
    page.join(number - 1, Joined(number, kind, 5))


def test_whoever_s_turn_it_was_is_to_blame_and_nobody_beside_it(page: WorkerPage) -> None:
    sent = _sent(4)
    for number in (1, 2, 3):
        _start(page, number)
    page.hold(2, 7)
    assert find_blame(sent, page, None) == (sent[1], ())


def test_one_that_was_being_prepared_is_to_blame_though_it_had_not_started(
    page: WorkerPage,
) -> None:
    sent = _sent(3)
    _start(page, 1)
    page.hold(2, 7)
    assert find_blame(sent, page, None).charged is sent[1]


def test_the_only_one_that_ran_is_to_blame_wherever_the_worker_was(page: WorkerPage) -> None:
    sent = _sent(3)
    _start(page, 1)
    assert find_blame(sent, page, None).charged is sent[0]


def test_where_it_may_have_been_any_of_several_nobody_is_charged(page: WorkerPage) -> None:
    sent = _sent(4)
    for number in (1, 2, 3):
        _start(page, number)
    assert find_blame(sent, page, None) == (None, sent[:3])


def test_a_thread_may_have_been_it_whosever_turn_it_was(page: WorkerPage) -> None:
    sent = _sent(4)
    _start(page, 1)
    _start(page, 2, "thread")
    _start(page, 3)
    page.hold(1, 7)
    assert find_blame(sent, page, None) == (None, sent[:2])


def test_what_an_ended_step_left_on_the_loop_makes_all_that_ran_suspects(page: WorkerPage) -> None:
    sent = _sent(3)
    for number in (1, 2, 3):
        _start(page, number)
    page.hold(1, 7)
    assert find_blame(sent[1:], page, None) == (None, sent[1:])


def test_a_plain_step_between_two_turns_is_to_blame(page: WorkerPage) -> None:
    sent = _sent(3)
    _start(page, 1)
    _start(page, 2)
    page.mark_started(3, 9)
    assert find_blame(sent, page, None).charged is sent[2]


def test_one_that_was_killed_for_its_deadline_is_charged_alone(page: WorkerPage) -> None:
    sent = _sent(3)
    for number in (1, 2, 3):
        _start(page, number)
    page.hold(3, 7)
    assert find_blame(sent, page, sent[1]) == (sent[1], ())


def test_where_that_one_ended_in_time_nobody_is_charged(page: WorkerPage) -> None:
    first, *rest = _sent(3)
    for number in (1, 2, 3):
        _start(page, number)
    page.hold(3, 7)
    assert find_blame(rest, page, first) == (None, ())


def test_a_result_that_never_came_is_laid_to_all_that_had_started_by_then(page: WorkerPage) -> None:
    sent = _sent(3)
    for number in (1, 2, 3):
        _start(page, number)
    page.leave(1)
    page.hold(3, 7)
    assert find_blame(sent, page, None) == (None, sent)
    assert find_blame(sent[1:2], page, None).charged is sent[1]


def test_between_start_and_table_it_is_the_plain_one_that_runs(page: WorkerPage) -> None:
    sent = _sent(2)
    _start(page, 1)
    page.mark_started(2, 9)
    assert find_blame(sent, page, None).charged is sent[1]
