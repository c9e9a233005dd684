"""One incarnation of a worker from the supervisor's side; the test is the worker."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Iterator

import pytest
from entries import entry

from tasker_mp.engine.fleet import Fleet, Limits, Listener
from tasker_mp.engine.wiring import Wiring
from tasker_mp.engine.worker_process import Condemned, WorkerProcess
from tasker_mp.inflight import Entry
from tasker_mp.transport.interface import Reader, Writer
from tasker_mp.worker.page import Joined, Turn, WorkerPage
from tasker_mp.worker.settings import EXIT_EVENT, WorkerSettings

_DEPTH = 8
_SETTINGS = WorkerSettings(os.getpid(), "w", "/", (), (), "ring", 65_536, 1 << 20)


class _Pair:
    """A worker's process that only sleeps, and both ends of its wiring."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(["/bin/sleep", "60"], start_new_session=True)
        wiring = Wiring(_SETTINGS)
        self.requests: Reader = wiring.requests.reader()
        self.results: Writer = wiring.results.writer()
        self.page = WorkerPage(wiring.page_fd)
        self.worker = WorkerProcess(0, 1, self.process.pid, wiring, _DEPTH)
        self.buried = False

    def send(self, *entries: Entry) -> None:
        assert all(self.worker.send(held) for held in entries)
        self.worker.publish()

    def finish(self, number: int, held: Entry, *, publish: bool = True) -> None:
        self.page.mark_started(number, 1)
        assert self.results.put(held.event_id, b"{}")
        if publish:
            self.results.publish()
            self.page.mark_finished(number)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        if not self.buried:
            self.worker.close()
        for end in (self.requests, self.results, self.page):
            end.close()


@pytest.fixture
def pair() -> Iterator[_Pair]:
    pair = _Pair()
    yield pair
    pair.close()


def _bury(pair: _Pair) -> tuple[list[bytes], list[Entry], list[Entry], str]:
    """What the fleet makes of its death: results kept, blamed, sent elsewhere, how it ended."""

    async def bury() -> tuple[list[bytes], list[Entry], list[Entry], str]:
        nothing = Listener(*[lambda *_: None] * len(Listener._fields))
        fleet = Fleet(_SETTINGS, 1, Limits(_DEPTH, 60.0), nothing)
        fleet.workers[0] = pair.worker
        death = fleet._bury(pair.worker)
        pair.buried = True
        return [r.event_id for r in death.records], death.started, death.unstarted, death.reason

    pair.process.kill()
    os.waitid(os.P_PID, pair.process.pid, os.WEXITED | os.WNOWAIT)
    return asyncio.run(bury())


def test_results_published_before_the_death_are_kept_and_only_the_running_step_is_blamed(
    pair: _Pair,
) -> None:
    done, ended, running, waiting = entries = [entry() for _ in range(4)]
    pair.send(*entries)
    pair.finish(1, done)
    pair.finish(2, ended, publish=False)
    pair.page.mark_started(3, 1)
    kept, blamed, elsewhere, reason = _bury(pair)
    assert kept == [done.event_id]
    assert blamed == [running]
    assert elsewhere == [ended, waiting], "one had ended, though its result was not published"
    assert reason == "killed by SIGKILL"


def test_steps_whose_results_never_came_are_suspects_with_the_one_that_runs(pair: _Pair) -> None:
    """Any of them may have written over what nobody had read."""
    done, lost, lost_too, running = entries = [entry() for _ in range(4)]
    pair.send(*entries)
    pair.finish(1, done)
    pair.page.mark_finished(3)
    pair.page.mark_started(4, 1)
    kept, blamed, elsewhere, _ = _bury(pair)
    assert (kept, blamed, elsewhere) == ([done.event_id], [], [lost, lost_too, running])


def test_a_worker_that_dies_between_two_steps_is_nobody_s_fault(pair: _Pair) -> None:
    done, waiting = entries = [entry(), entry()]
    pair.send(*entries)
    pair.finish(1, done)
    kept, blamed, elsewhere, _ = _bury(pair)
    assert (kept, blamed, elsewhere) == ([done.event_id], [], [waiting])


@pytest.mark.parametrize(
    ("counts", "reason"),
    [
        ([3, 3], "killed by SIGKILL"),
        ([3, 4], "killed by SIGKILL by the kernel: out of memory"),
    ],
)
def test_a_kill_that_the_kernel_counts_is_told_as_its_own(
    pair: _Pair, monkeypatch: pytest.MonkeyPatch, counts: list[int], reason: str
) -> None:
    monkeypatch.setattr("tasker_mp.process.oom_kills", iter(counts).__next__)
    assert _bury(pair)[3] == reason
    assert pair.worker.peak_rss_bytes > 0


def test_events_that_were_staged_and_never_published_go_elsewhere(pair: _Pair) -> None:
    staged = [entry(), entry()]
    assert all(pair.worker.send(held) for held in staged)
    assert _bury(pair)[1:3] == ([], staged)


def test_its_room_is_bounded_and_comes_back_with_the_results(pair: _Pair) -> None:
    entries = [entry() for _ in range(_DEPTH)]
    pair.send(*entries)
    assert (pair.worker.room, pair.worker.request_fill) == (0, 1.0)
    assert len(pair.requests.drain()) == _DEPTH
    for number, held in enumerate(entries[:3], 1):
        pair.finish(number, held)
    assert [record.event_id for record in pair.worker.drain()] == [e.event_id for e in entries[:3]]
    assert (pair.worker.room, pair.worker.processed) == (3, 3)


def test_what_has_not_started_can_be_taken_back(pair: _Pair) -> None:
    running, *waiting = entries = [entry() for _ in range(4)]
    pair.send(*entries)
    pair.page.mark_started(1, 1)
    assert pair.worker.running() is running
    assert pair.worker.revoke() == waiting
    assert pair.page.revoked == 4
    assert pair.worker.revoke() == []
    later = entry()
    pair.send(later)
    assert later.number == 5


def test_nothing_is_taken_back_while_a_step_is_just_starting(pair: _Pair) -> None:
    pair.send(entry(), entry())
    assert pair.worker._gate.try_take()  # as the worker does around a start
    assert pair.worker.revoke() == []
    assert pair.page.revoked == 0


def test_a_worker_asked_to_exit_gets_no_more_events(pair: _Pair) -> None:
    pair.send(entry())
    pair.worker.ask_to_exit()
    assert pair.worker.room == 0
    assert [r.event_id for r in pair.requests.drain()][-1] == EXIT_EVENT


def test_a_kill_takes_the_whole_process_group(pair: _Pair) -> None:
    pair.worker.kill()
    assert pair.process.wait(5) == -signal.SIGKILL
    pair.worker.kill()  # and is harmless once it is dead


def test_a_worker_of_coroutines_has_room_for_all_that_run_at_once(pair: _Pair) -> None:
    entries = [entry() for _ in range(_DEPTH)]
    for held in entries:
        held.pace.note(30.0, concurrency=4)
    assert [pair.worker.send(held) for held in entries[:5]] == [True] * 4 + [False]
    assert pair.worker.room == 0


def test_a_plain_step_that_would_wait_is_not_sent_where_coroutines_run(pair: _Pair) -> None:
    napper, slow, brief, unknown = entry(), entry(), entry(), entry()
    napper.pace.note(0.01, concurrency=100)
    slow.pace.note_kept(0.2)
    brief.pace.note(0.001)
    assert pair.worker.takes(slow)
    pair.send(napper)
    assert [pair.worker.takes(held) for held in (slow, brief, unknown)] == [False, True, True]
    pair.send(unknown)
    pair.page.mark_started(1, 1)
    pair.page.join(0, Joined(1, "coroutine", 1))
    assert pair.worker.revoke() == [unknown]
    assert pair.worker.takes(unknown), "it may have been the machine that held it up"
    pair.send(unknown)
    pair.page.mark_kept(3)
    assert pair.worker.revoke() == [unknown]
    assert not pair.worker.takes(unknown), "the worker says that it would have to wait"
    assert pair.results.put(napper.event_id, b"{}")
    pair.results.publish()
    pair.worker.drain()
    assert pair.worker.takes(unknown), "a result that is read comes before the page says so"


def test_a_suspect_has_a_worker_to_itself(pair: _Pair) -> None:
    suspect, other = entry(), entry()
    suspect.suspected = 2
    pair.send(other)
    assert not pair.worker.takes(suspect)
    pair.finish(1, other)
    pair.worker.drain()
    assert pair.worker.takes(suspect)
    pair.send(suspect)
    assert pair.worker.room == 0
    pair.finish(2, suspect)
    pair.worker.drain()
    assert pair.worker.room == _DEPTH


def test_it_tells_of_what_has_run_for_longest(pair: _Pair) -> None:
    one, two, three = entries = [entry() for _ in range(3)]
    pair.send(*entries)
    for number, since in ((1, 30), (2, 20)):
        pair.page.mark_started(number, since)
        pair.page.join(number - 1, Joined(number, "coroutine", since))
    assert [held for held, _ in pair.worker.joined()] == [one, two]
    assert (pair.worker.longest(), pair.worker.run_count) == (two, 2)
    assert (pair.worker.running(), pair.worker.behind()) == (None, None)
    pair.page.mark_started(3, 40)
    assert (pair.worker.running(), pair.worker.run_count) == (three, 3)


def test_it_is_killed_over_a_turn_only_while_it_is_the_same_one(pair: _Pair) -> None:
    held = entry()
    pair.send(held)
    pair.page.mark_started(1, 1)
    pair.page.join(0, Joined(1, "coroutine", 1))
    pair.page.hold(1, 500)
    pair.worker.condemned = Condemned(held, 1.0, 0.5, 0, Turn(1, 400))
    pair.worker.execute()
    assert pair.process.poll() is None
    assert pair.worker.condemned is None
    pair.worker.condemned = Condemned(held, 1.0, 0.5, 0, Turn(1, 500))
    pair.worker.execute()
    assert pair.process.wait(5) == -signal.SIGKILL
