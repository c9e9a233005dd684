"""A worker: reads events from its ring, runs handlers, writes results to its other ring."""

import asyncio
import os
import select
import time
from collections.abc import Coroutine
from typing import Any

import msgspec

from tasker_mp.context import StepContext
from tasker_mp.errors import EngineError, HandlerLoadError
from tasker_mp.handler import StepHandler, invoke
from tasker_mp.messages import (
    StepError,
    StepEvent,
    StepOutcome,
    StepSpec,
    encode,
    event_decoder,
    spec_decoder,
)
from tasker_mp.registry import HandlerRegistry
from tasker_mp.result import ErrorType
from tasker_mp.transport.interface import Reader, Record, Writer
from tasker_mp.worker.gate import Gate
from tasker_mp.worker.output import Output
from tasker_mp.worker.page import WorkerPage
from tasker_mp.worker.settings import EXIT_EVENT

_PUBLISH_AFTER_NS = 200_000
"""A wake-up costs the supervisor more than a result: hold results back this long, unless idle."""

_JOBS_KEPT = 10_000
_UNKNOWN_NS = 1_000_000_000


class _Job:
    """What a template says about a step, the handler or why there is none, and how long it takes.

    A step never seen is expected to be slow.
    """

    def __init__(self, spec: StepSpec, handler: StepHandler | HandlerLoadError) -> None:
        self.spec = spec
        self.handler = handler
        self.usual_ns = _UNKNOWN_NS

    def note(self, run_ns: int) -> None:
        """A slow run counts at once, and fades."""
        self.usual_ns = max(run_ns, self.usual_ns - (self.usual_ns >> 3))


class Worker:
    """Runs one event after the other, in the order of its request ring."""

    def __init__(
        self,
        requests: Reader,
        results: Writer,
        page: WorkerPage,
        gate: Gate,
        registry: HandlerRegistry,
        max_payload_bytes: int,
        output: Output,
    ) -> None:
        self._requests = requests
        self._results = results
        self._page = page
        self._gate = gate
        self._registry = registry
        self._max_payload = max_payload_bytes
        self._output = output
        self._jobs: dict[bytes, _Job] = {}
        self._runner: asyncio.Runner | None = None
        self._pid = os.getpid()
        self._number = 0
        self._ended = 0
        self._published_ns = 0

    def run(self) -> None:
        """Until the exit record, or for ever: a dead supervisor takes its workers with it."""
        wake_up = select.poll()
        wake_up.register(self._requests.fileno(), select.POLLIN)
        self._page.mark_ready()
        while True:
            records = self._requests.drain()
            if not records:
                if self._output.unsettled:
                    self._output.settle(idle=True)
                wake_up.poll()
            for record in records:
                if record.event_id == EXIT_EVENT:
                    self._publish()
                    return
                self._perform(record)
            self._publish()

    def _perform(self, record: Record) -> None:
        """Run one event and stage its result, unless the event was revoked.

        Whatever may go wrong with it comes after its start: a worker that dies earlier blames
        nobody, and the next one would die of the same event.
        """
        self._number += 1
        event = _decode(record.payload)
        job = self._jobs.get(bytes(event.spec)) if isinstance(event, StepEvent) else None
        if job is None or job.usual_ns > _PUBLISH_AFTER_NS:
            self._publish()  # earlier results do not wait for this step
        started = time.monotonic_ns()
        if not self._start(started):
            return
        if self._page.severity != self._output.severity:
            self._output.set_severity(self._page.severity)
        outcome = self._outcome(record.event_id, event)
        if os.getpid() != self._pid:
            os._exit(0)  # a child that the handler forked and forgot to end
        finished = time.monotonic_ns()
        outcome.run_ns, outcome.ended_ns = finished - started, finished
        if job is not None:
            job.note(outcome.run_ns)
        self._put(record.event_id, encode(outcome))
        self._ended = self._number
        if finished - self._published_ns > _PUBLISH_AFTER_NS:
            self._publish(finished)

    def _start(self, now_ns: int) -> bool:
        """Say that the event starts; False where the supervisor has taken it back."""
        self._gate.take()
        mine = self._number > self._page.revoked
        if mine:
            self._page.mark_started(self._number, now_ns)
        else:
            self._page.mark_skipped(self._number)
        self._gate.give()
        return mine

    def _outcome(self, event_id: bytes, event: StepEvent | StepOutcome) -> StepOutcome:
        if isinstance(event, StepOutcome):
            return event
        try:
            job = self._job(bytes(event.spec))
        except msgspec.DecodeError as error:
            return _unreadable(error)
        if isinstance(job.handler, HandlerLoadError):
            return _no_handler(job.spec.step.handler.callable, job.handler)
        context = StepContext.from_event(event_id, event, job.spec)
        method = job.spec.step.handler.method
        output = self._output
        output.step = context
        outcome = invoke(job.handler, method, context, self._run_async, self._max_payload)
        if output.unsettled:
            output.settle()
        output.step = None
        return outcome

    def _job(self, encoded: bytes) -> _Job:
        """Made once: the supervisor sends the same bytes with every event of a template step."""
        job = self._jobs.get(encoded)
        if job is None:
            if len(self._jobs) >= _JOBS_KEPT:
                self._jobs.clear()
            job = self._jobs[encoded] = self._make_job(encoded)
        return job

    def _make_job(self, encoded: bytes) -> _Job:
        spec = spec_decoder.decode(encoded)
        try:
            return _Job(spec, self._registry.resolve(spec.step.handler))
        except HandlerLoadError as error:
            return _Job(spec, error)

    def _run_async(self, coroutine: Coroutine[Any, Any, object]) -> object:
        if self._runner is None:
            self._runner = asyncio.Runner()
        return self._runner.run(coroutine)

    def _put(self, event_id: bytes, payload: bytes) -> None:
        """Stage a result, waiting for the supervisor to make room where there is none."""
        while not self._results.put(event_id, payload):
            self._publish()
            self._await_credit()

    def _await_credit(self) -> None:
        credit = select.poll()
        credit.register(self._results.credit_fileno(), select.POLLIN)
        credit.poll()
        self._results.reclaim()

    def _publish(self, now_ns: int | None = None) -> None:
        self._results.publish()
        while self._results.stalled:
            self._await_credit()
        # Only now: a worker that dies before anybody has the result dies of the step, or else a
        # handler that leaves it unable to publish would be tried for ever.
        self._page.mark_finished(self._ended)
        self._published_ns = now_ns or time.monotonic_ns()


def _decode(payload: bytes) -> StepEvent | StepOutcome:
    """The event; or why its step fails."""
    try:
        return event_decoder.decode(payload)
    except (msgspec.DecodeError, RecursionError) as error:
        return _unreadable(error)


def _unreadable(error: Exception) -> StepOutcome:
    return StepOutcome(
        error=StepError(
            message=f"the worker could not read the step: {error}",
            error_type=ErrorType.PERMANENT_ERROR,
            error_code="UNREADABLE_STEP",
            retryable=False,
        )
    )


def _no_handler(name: str, cause: EngineError) -> StepOutcome:
    return StepOutcome(
        error=StepError(
            message=f"No handler found for {name}",
            error_type=ErrorType.PERMANENT_ERROR,
            error_code="HANDLER_NOT_FOUND",
            retryable=False,
            metadata=msgspec.Raw(encode({"cause": str(cause)})),
        )
    )
