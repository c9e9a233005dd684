"""A worker: reads events from its ring, runs handlers, writes results to its other ring."""

import os
import select
import time
from collections import deque
from collections.abc import Coroutine
from typing import Any

import msgspec

from tasker_mp.context import StepContext
from tasker_mp.errors import HandlerLoadError
from tasker_mp.handler import invoke
from tasker_mp.messages import StepEvent, StepOutcome, encode
from tasker_mp.registry import HandlerRegistry
from tasker_mp.transport.interface import Reader, Record, Writer
from tasker_mp.worker.company import Limits
from tasker_mp.worker.gate import Gate
from tasker_mp.worker.job import Job, JobBook, no_handler, read_event, unreadable
from tasker_mp.worker.output import Output
from tasker_mp.worker.page import WorkerPage
from tasker_mp.worker.reports import StepReports
from tasker_mp.worker.run_delay import RunDelay
from tasker_mp.worker.settings import EXIT_EVENT
from tasker_mp.worker.together import Together

_PUBLISH_AFTER_NS = 200_000
"""A wake-up costs the supervisor more than a result: hold results back this long, unless idle."""


class Worker:
    """Runs plain steps one after the other, in the order of its request ring; `Together` has those
    that run beside each other.

    `number` is the latest event that it has come to, `ended` the latest of which the page may say
    that it is finished once everything is published; `pending` are the events after `number`.
    """

    def __init__(
        self,
        requests: Reader,
        results: Writer,
        page: WorkerPage,
        gate: Gate,
        registry: HandlerRegistry,
        max_payload_bytes: int,
        output: Output,
        limits: Limits = Limits(),  # noqa: B008 - a value
        worker_id: str = "",
    ) -> None:
        self._requests = requests
        self._results = results
        self._page = page
        self._gate = gate
        self._max_payload = max_payload_bytes
        self._output = output
        self._jobs = JobBook(registry)
        self._reports = StepReports(worker_id, max_payload_bytes)
        self._together = Together(
            self, page, self._jobs, output, self._reports, limits, max_payload_bytes
        )
        self._pid = os.getpid()
        self._published_ns = 0
        self._delay = RunDelay()
        self._job: Job | None = None
        self.number = 0
        self.ended = 0
        self.pending: deque[Record] = deque()

    def run(self) -> None:
        """Until the exit record, or for ever: a dead supervisor takes its workers with it."""
        wake_up = select.poll()
        wake_up.register(self._requests.fileno(), select.POLLIN)
        self._page.mark_ready()
        pending, together = self.pending, self._together
        while True:
            self.fetch()
            if not pending:
                if self._output.unsettled:
                    self._output.settle(idle=True)
                wake_up.poll()
            while pending:
                record = pending.popleft()
                if record.event_id == EXIT_EVENT:
                    self.publish()
                    return
                self._perform(record)
                if together.running or together.left:
                    together.serve()
            self.publish()

    def close(self) -> None:
        self._together.close()
        self._delay.close()

    def requests_fileno(self) -> int:
        return self._requests.fileno()

    def fetch(self) -> None:
        """Take over what the supervisor has published."""
        self.pending.extend(self._requests.drain())

    def _perform(self, record: Record) -> None:
        """Run one event and stage its result, unless the event was revoked.

        Whatever may go wrong with it comes after its start: a worker that dies earlier blames
        nobody, and the next one would die of the same event.
        """
        self.number += 1
        event = read_event(record.payload)
        encoded = bytes(event.spec) if isinstance(event, StepEvent) else b""
        job = self._jobs.known(encoded)
        if job is None or job.kind is not None or job.usual_ns > _PUBLISH_AFTER_NS:
            self.publish()  # earlier results do not wait for this step
        started = time.monotonic_ns()
        if not self.start(started):
            return
        made = job or self._made(event, encoded)
        context = None
        if isinstance(made, StepOutcome):
            outcome = made
        else:
            assert isinstance(event, StepEvent)
            if made.kind is not None:
                self._together.join(record.event_id, event, made, started)
                return
            context = StepContext.from_event(record.event_id, event, made.spec)
            outcome = self._outcome(context, made)
        finished = time.monotonic_ns()
        outcome.run_ns, outcome.ended_ns = finished - started, finished
        self.put(record.event_id, encode(outcome))
        self.ended = self.number
        if isinstance(made, Job) and context is not None:
            self._reports.ended(context, outcome)
            made.note(outcome.run_ns, self._delay)
        if finished - self._published_ns > _PUBLISH_AFTER_NS:
            self.publish(finished)

    def _made(self, event: StepEvent | StepOutcome, encoded: bytes) -> Job | StepOutcome:
        """The job of an event whose like never came before; or why there is none."""
        if isinstance(event, StepOutcome):
            return event
        try:
            return self._jobs.get(encoded)
        except msgspec.DecodeError as error:
            return unreadable(error)

    def start(self, now_ns: int) -> bool:
        """Say that the event starts; False where the supervisor has taken it back."""
        self._gate.take()
        mine = self.number > self._page.revoked
        if mine:
            self._page.mark_started(self.number, now_ns)
        else:
            self._page.mark_skipped(self.number)
        self._gate.give()
        if mine and self._page.severity != self._output.severity:
            self._output.set_severity(self._page.severity)
        return mine

    def _outcome(self, context: StepContext, job: Job) -> StepOutcome:
        output = self._output
        output.alone, self._job = context, job
        outcome = self._run(context, job)
        if job.declares:
            outcome = self._reports.settled(context, job.spec, outcome)
        if output.unsettled:
            output.settle()
        output.alone = None
        return outcome

    def _run(self, context: StepContext, job: Job) -> StepOutcome:
        definition = job.spec.step.handler
        if isinstance(job.handler, HandlerLoadError):
            return no_handler(definition.callable, job.handler)
        self._reports.begun(context)
        method, limit = definition.method, self._max_payload
        outcome = invoke(job.handler, method, context, self._run_async, limit)
        if os.getpid() != self._pid:
            os._exit(0)  # a child that the handler forked and forgot to end
        return outcome

    def _run_async(self, coroutine: Coroutine[Any, Any, object]) -> object:
        """What a method returned that is no coroutine function by its looks: this time it has been
        started as a plain step."""
        if self._job is not None:
            self._job.kind = "coroutine"
        return self._together.runner.run(coroutine)

    def put(self, event_id: bytes, payload: bytes) -> None:
        """Stage a result, waiting for the supervisor to make room where there is none."""
        while not self._results.put(event_id, payload):
            self.publish()
            self._await_credit()

    def _await_credit(self) -> None:
        credit = select.poll()
        credit.register(self._results.credit_fileno(), select.POLLIN)
        credit.poll()
        self._results.reclaim()

    def publish(self, now_ns: int | None = None) -> None:
        self._results.publish()
        while self._results.stalled:
            self._await_credit()
        # Only now: a worker that dies before anybody has the result dies of the step, or else a
        # handler that leaves it unable to publish would be tried for ever.
        self._page.mark_finished(self.ended)
        self._published_ns = now_ns or time.monotonic_ns()
        self._delay.mark()
