"""A worker's loop in this process: events in, results out, in order, each in its own fate."""

import os
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from msgspec import Raw

from tasker_mp import StepContext, StepHandler, transport
from tasker_mp.messages import StepEvent, StepOutcome, StepSpec, encode, outcome_decoder
from tasker_mp.registry import HandlerRegistry
from tasker_mp.template.model import HandlerDefinition, StepDefinition
from tasker_mp.transport.interface import Reader, Writer
from tasker_mp.worker.gate import Gate
from tasker_mp.worker.main import Worker
from tasker_mp.worker.output import Output
from tasker_mp.worker.page import WorkerPage, create_page
from tasker_mp.worker.settings import EXIT_EVENT

_SIZES = (65_536, 1 << 20)
_OUTPUT = Output("console", "info")


class _Calls(StepHandler):
    seen: list[str] = []  # noqa: RUF012  the test's own

    def call(self, context: StepContext) -> Any:
        name = context.get_input("name")
        self.seen.append(name)
        if name == "bad":
            raise ValueError("bad name")
        return {"name": name, "blob": "x" * context.get_input_or("size", 0)}

    async def later(self, context: StepContext) -> Any:
        return {"later": context.get_input("name")}


class _Bench:
    """Both ends of a worker's rings in one process; the test is its supervisor."""

    def __init__(self, kind: str) -> None:
        requests = transport.open_channel(kind, *_SIZES)
        results = transport.open_channel(kind, *_SIZES)
        self.requests: Writer = requests.writer()
        self.results: Reader = results.reader()
        page_fd, gate_fd = create_page(), Gate.create()
        self.page, self.gate = WorkerPage(page_fd), Gate(os.dup(gate_fd))
        registry = HandlerRegistry(["no_package"])
        registry.register("calls", _Calls)
        self._ends = (requests.reader(), results.writer(), WorkerPage(page_fd), Gate(gate_fd))
        os.close(page_fd)
        requests.close()
        results.close()
        self.worker = Worker(*self._ends, registry, _SIZES[1], _OUTPUT)
        self.numbers = iter(range(1, 10_000))

    def send(self, payload: bytes) -> bytes:
        event_id = next(self.numbers).to_bytes(16, "big")
        assert self.requests.put(event_id, payload)
        return event_id

    def run(self) -> dict[bytes, StepOutcome]:
        """Until the exit record, which is put last."""
        assert self.requests.put(EXIT_EVENT, b"")
        self.requests.publish()
        self.worker.run()
        return {r.event_id: outcome_decoder.decode(r.payload) for r in self.results.drain()}

    def close(self) -> None:
        self.worker.close()
        for end in (self.requests, self.results, self.page, self.gate, *self._ends):
            end.close()


@pytest.fixture(params=["ring", "pipe"])
def bench(request: pytest.FixtureRequest) -> Iterator[_Bench]:
    _Calls.seen.clear()
    bench = _Bench(request.param)
    yield bench
    bench.close()


def _event(name: str, method: str = "call", callable_: str = "calls", **context: Any) -> bytes:
    spec = StepSpec("n", "t", "1.0.0", StepDefinition("a", HandlerDefinition(callable_, method)))
    given = encode({"name": name, **context})
    return encode(StepEvent("0" * 32, 1, "a", 1, Raw(encode(spec)), Raw(given), Raw(b"{}")))


def test_events_run_in_order_and_each_has_its_result(bench: _Bench) -> None:
    ids = [bench.send(_event(name)) for name in ("a", "bad", "b")]
    later = bench.send(_event("c", "later"))
    outcomes = bench.run()
    assert list(outcomes) == [*ids, later]
    assert _Calls.seen == ["a", "bad", "b"]
    assert msgspec.json.decode(outcomes[ids[0]].result) == {"name": "a", "blob": ""}
    error = outcomes[ids[1]].error
    assert error is not None
    assert error.message == "ValueError: bad name"
    assert msgspec.json.decode(outcomes[later].result) == {"later": "c"}
    assert all(outcome.run_ns > 0 for outcome in outcomes.values())
    assert (bench.page.started, bench.page.finished, bench.page.busy_since_ns) == (4, 4, 0)
    assert bench.page.ready


def test_a_missing_handler_fails_its_own_step_for_good(bench: _Bench) -> None:
    gone, fine = bench.send(_event("a", callable_="no_package.Lost")), bench.send(_event("b"))
    outcomes = bench.run()
    error = outcomes[gone].error
    assert error is not None
    assert (error.message, error.retryable) == ("No handler found for no_package.Lost", False)
    assert outcomes[fine].error is None


@pytest.mark.parametrize(
    "payload",
    [
        b"garbage",
        b"[]",
        b'["x",1,"a",1,{"not":"a spec"},{},{}]',
        b'["x",1,"a",1,{},' + b"[" * 5000 + b"]" * 5000 + b",{}]",
    ],
    ids=["garbage", "empty", "spec", "deep"],
)
def test_an_event_that_cannot_be_read_fails_its_own_step_and_the_worker_lives(
    bench: _Bench, payload: bytes
) -> None:
    broken, fine = bench.send(payload), bench.send(_event("b"))
    outcomes = bench.run()
    error = outcomes[broken].error
    assert error is not None
    assert (error.error_code, error.retryable) == ("UNREADABLE_STEP", False)
    assert outcomes[fine].error is None
    assert bench.page.finished == 2


def test_revoked_events_are_passed_over_and_the_next_ones_run(bench: _Bench) -> None:
    """As the supervisor does it: with the gate, up to the latest number that it sent."""
    revoked = [bench.send(_event(name)) for name in ("a", "b")]
    assert bench.gate.try_take()
    bench.page.revoke(2)
    bench.gate.give()
    kept = bench.send(_event("c"))
    outcomes = bench.run()
    assert list(outcomes) == [kept]
    assert not set(revoked) & set(outcomes)
    assert _Calls.seen == ["c"]
    assert (bench.page.started, bench.page.finished) == (3, 3)


def test_the_gate_is_free_again_after_every_start(bench: _Bench) -> None:
    for _ in range(5):
        bench.send(_event("a"))
    assert len(bench.run()) == 5
    assert bench.gate.try_take()
