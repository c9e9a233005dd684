"""A worker's loop in this process with steps beside each other: who starts when, and what comes."""

import asyncio
import os
import threading
import time
from collections.abc import Iterator
from typing import Any, ClassVar

import msgspec
import pytest
from msgspec import Raw

from tasker_mp import StepContext, StepHandler, transport
from tasker_mp.messages import StepEvent, StepOutcome, StepSpec, encode, outcome_decoder
from tasker_mp.registry import HandlerRegistry
from tasker_mp.template.model import HandlerDefinition, StepDefinition
from tasker_mp.transport.interface import Reader, Writer
from tasker_mp.worker import job
from tasker_mp.worker.company import Limits
from tasker_mp.worker.gate import Gate
from tasker_mp.worker.main import Worker
from tasker_mp.worker.output import Output
from tasker_mp.worker.page import WorkerPage, create_page
from tasker_mp.worker.settings import EXIT_EVENT

_SIZES = (1 << 16, 1 << 20)
_LIMITS = Limits(coroutines=3, threads=2, timeout=5.0)


class _Acts(StepHandler):
    """Notes what starts and ends; `page` is that of the worker that runs it."""

    notes: ClassVar[list[str]] = []
    page: ClassVar[WorkerPage]
    most: ClassVar[int] = 0

    def _note(self, text: str, context: StepContext) -> None:
        self.notes.append(f"{text} {context.get_input('name')}")
        _Acts.most = max(self.most, len(self.page.joined()))

    async def naps(self, context: StepContext) -> Any:
        self._note("starts", context)
        await asyncio.sleep(context.get_input_or("seconds", 0.02))
        self._note("ends", context)
        return {"turn": self.page.turn.number if self.page.turn else None}

    async def starts_a_task(self, context: StepContext) -> Any:
        async def inner() -> int | None:
            return self.page.turn.number if self.page.turn else None

        return {"turn": (await asyncio.gather(inner(), inner()))}

    async def exits_in_a_task(self, context: StepContext) -> Any:
        async def inner() -> None:
            raise SystemExit(3)

        await asyncio.gather(inner())

    async def is_late(self, context: StepContext) -> Any:
        try:
            await asyncio.sleep(60)
        finally:
            self._note("cancelled", context)

    async def ends_when_cancelled(self, context: StepContext) -> Any:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            return {"saved": True}

    def waits(self, context: StepContext) -> Any:
        self._note("starts", context)
        time.sleep(0.05)
        return {"thread": threading.get_ident()}

    def plain(self, context: StepContext) -> Any:
        self._note("starts", context)
        return asyncio.run(self._loop_of_its_own())

    async def _loop_of_its_own(self) -> dict[str, Any]:
        return {"turn": self.page.turn}


class _Bench:
    """Both ends of a worker's rings in one process; the test is its supervisor."""

    def __init__(self) -> None:
        requests, results = (transport.open_channel("ring", *_SIZES) for _ in range(2))
        self.requests: Writer = requests.writer()
        self.results: Reader = results.reader()
        page_fd, gate_fd = create_page(), Gate.create()
        self.page, self.gate = WorkerPage(page_fd), Gate(os.dup(gate_fd))
        registry = HandlerRegistry(["no_package"])
        registry.register("acts", _Acts)
        self._ends = (requests.reader(), results.writer(), WorkerPage(page_fd), Gate(gate_fd))
        os.close(page_fd)
        requests.close()
        results.close()
        output = Output("console", "info")
        self.worker = Worker(*self._ends, registry, _SIZES[1], output, _LIMITS)
        self.ids: dict[bytes, str] = {}

    def send(self, method: str, name: str, timeout: float | None = None, **context: Any) -> None:
        concurrency = "thread" if method == "waits" else None
        handler = HandlerDefinition("acts", method, concurrency=concurrency)
        step = StepDefinition("a", handler, timeout_seconds=timeout)
        spec = encode(StepSpec("n", "t", "1.0.0", step))
        given = encode({"name": name, **context})
        event = encode(StepEvent("0" * 32, 1, "a", 1, Raw(spec), Raw(given), Raw(b"{}")))
        event_id = (len(self.ids) + 1).to_bytes(16, "big")
        self.ids[event_id] = name
        assert self.requests.put(event_id, event)

    def run(self) -> dict[str, StepOutcome]:
        """Until the exit record, which is put last; in the order of the results."""
        assert self.requests.put(EXIT_EVENT, b"")
        self.requests.publish()
        self.worker.run()
        records = self.results.drain()
        return {self.ids[r.event_id]: outcome_decoder.decode(r.payload) for r in records}

    def close(self) -> None:
        self.worker.close()
        for end in (self.requests, self.results, self.page, self.gate, *self._ends):
            end.close()


@pytest.fixture
def bench() -> Iterator[_Bench]:
    bench = _Bench()
    _Acts.notes.clear()
    _Acts.page, _Acts.most = bench.page, 0
    yield bench
    bench.close()


def _result(outcome: StepOutcome) -> Any:
    assert outcome.error is None, outcome.error
    return msgspec.json.decode(outcome.result)


def test_coroutines_start_in_order_and_no_more_at_once_than_may(bench: _Bench) -> None:
    for number in range(9):
        bench.send("naps", str(number))
    outcomes = bench.run()
    starts = [note for note in _Acts.notes if note.startswith("starts")]
    assert starts == [f"starts {number}" for number in range(9)]
    assert _Acts.most == 3
    assert {outcome.concurrency for outcome in outcomes.values()} == {3}
    assert [_result(outcomes[str(n)])["turn"] for n in range(9)] == list(range(1, 10))
    page = bench.page
    assert (page.started, page.finished, page.busy_since_ns, page.joined()) == (9, 9, 0, {})
    assert page.turn is None


def test_a_long_one_is_overtaken_and_ends_before_the_worker_leaves(bench: _Bench) -> None:
    bench.send("naps", "long", seconds=0.3)
    bench.send("naps", "short", seconds=0.01)
    assert list(bench.run()) == ["short", "long"]


def test_tasks_that_a_step_starts_are_its_turns_too(bench: _Bench) -> None:
    bench.send("naps", "before")
    bench.send("starts_a_task", "a")
    assert _result(bench.run()["a"]) == {"turn": [2, 2]}


def test_a_task_that_exits_fails_its_step_and_not_its_worker(bench: _Bench) -> None:
    bench.send("exits_in_a_task", "a")
    bench.send("naps", "b")
    outcomes = bench.run()
    error = outcomes["a"].error
    assert error is not None
    assert error.message == "TaskExitError: SystemExit: 3"
    assert outcomes["b"].error is None


def test_a_late_coroutine_is_cancelled_and_its_neighbour_is_not(bench: _Bench) -> None:
    bench.send("is_late", "late", timeout=0.1)
    bench.send("naps", "neighbour", seconds=0.3)
    outcomes = bench.run()
    error = outcomes["late"].error
    assert error is not None
    assert (error.error_type, error.error_code, error.retryable) == ("timeout", "TIMEOUT", True)
    details = msgspec.json.decode(error.metadata)
    assert "in _Acts.is_late" in details["stack"]
    assert details["timeout_seconds"] == 0.1
    assert outcomes["late"].timed_out
    assert _Acts.notes == ["starts neighbour", "cancelled late", "ends neighbour"]
    assert outcomes["neighbour"].error is None


def test_one_that_returns_when_it_is_cancelled_has_ended(bench: _Bench) -> None:
    bench.send("ends_when_cancelled", "a", timeout=0.1)
    assert _result(bench.run()["a"]) == {"saved": True}


def test_threads_run_beside_coroutines_and_each_kind_has_its_own_limit(bench: _Bench) -> None:
    bench.send("waits", "one")
    bench.send("naps", "two")
    bench.send("waits", "three")
    bench.send("waits", "four")
    bench.send("naps", "five")
    outcomes = bench.run()
    threads = {_result(outcomes[name])["thread"] for name in ("one", "three", "four")}
    assert threading.get_ident() not in threads
    assert len(threads) == 2
    assert outcomes["one"].concurrency == 2
    order = [note for note in _Acts.notes if note.startswith("starts")]
    # A thread is as quick as its thread; what came after the third started only after it.
    assert order.index("starts five") > order.index("starts two")
    assert order[-1] in ("starts five", "starts four")


def test_a_plain_step_waits_until_it_has_the_worker_to_itself(bench: _Bench) -> None:
    bench.send("naps", "a", seconds=0.1)
    bench.send("naps", "b", seconds=0.2)
    bench.send("plain", "plain")
    bench.send("naps", "c")
    outcomes = bench.run()
    assert [*_Acts.notes[:2], *_Acts.notes[4:6]] == [
        "starts a", "starts b", "starts plain", "starts c",
    ]  # fmt: skip
    assert _result(outcomes["plain"]) == {"turn": None}


def test_one_that_is_known_for_quick_runs_between_two_turns(
    bench: _Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job, "_BRIEF_NS", 10**10)  # a busy machine makes no step a slow one
    bench.send("plain", "first")
    bench.send("naps", "a", seconds=0.3)
    for number in range(5):
        bench.send("plain", str(number))
    outcomes = bench.run()
    assert list(outcomes) == ["first", "0", "1", "2", "3", "4", "a"]


def test_what_waits_for_coroutines_can_be_taken_back_and_the_next_ones_start(
    bench: _Bench,
) -> None:
    bench.send("naps", "long", seconds=1.5)
    bench.send("plain", "plain")

    def revoke() -> None:
        limit = time.monotonic() + 1.2
        while bench.page.kept != 2 and time.monotonic() < limit:
            time.sleep(0.005)
        _Acts.notes.append(f"keeps {bench.page.kept}")
        assert bench.gate.try_take()
        bench.page.revoke(2)
        bench.gate.give()
        while bench.page.reached < 2 and time.monotonic() < limit:
            time.sleep(0.005)  # nothing but the revocation tells it
        _Acts.notes.append(f"reached {bench.page.reached}")
        bench.send("naps", "next")
        assert bench.requests.put(EXIT_EVENT, b"")
        bench.requests.publish()

    supervisor = threading.Thread(target=revoke)
    supervisor.start()
    bench.requests.publish()
    bench.worker.run()
    supervisor.join()
    assert [bench.ids[r.event_id] for r in bench.results.drain()] == ["next", "long"]
    assert _Acts.notes == [
        "starts long", "keeps 2", "reached 2", "starts next", "ends next", "ends long",
    ]  # fmt: skip
