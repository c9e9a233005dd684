"""The steps that run beside each other in a worker, from their starts to their results."""

import asyncio
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context, copy_context
from typing import NamedTuple, Protocol

from tasker_mp.context import StepContext
from tasker_mp.handler import StepHandler, invoke, invoke_async
from tasker_mp.messages import StepEvent, StepOutcome, encode
from tasker_mp.worker.deadline import Deadline, Standstill, timeout_of
from tasker_mp.worker.job import Job
from tasker_mp.worker.output import Output
from tasker_mp.worker.page import PLACES, Joined, Kind, WorkerPage
from tasker_mp.worker.reports import StepReports
from tasker_mp.worker.turn import NUMBER


class Limits(NamedTuple):
    """How many may run at once, and seconds for a step whose template names none."""

    coroutines: int = 100
    threads: int = 8
    timeout: float = 30.0

    def of(self, kind: Kind) -> int:
        return self.coroutines if kind == "coroutine" else self.threads


class Host(Protocol):
    """The worker, as the one who has started an event and takes its result."""

    number: int
    ended: int

    def put(self, event_id: bytes, payload: bytes) -> None: ...


class Loop(Protocol):
    """The event loop, as the one who lets what has ended be followed by others."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop: ...
    def wake(self) -> None: ...
    def guarded(self, callback: Callable[[], None]) -> None: ...
    def fail(self, error: BaseException) -> None: ...


class Run:
    """A step that has started and whose result is not on its way yet."""

    def __init__(
        self,
        number: int,
        place: int,
        event_id: bytes,
        job: Job,
        context: StepContext,
        started: int,
    ) -> None:
        self.number = number
        self.place = place
        self.event_id = event_id
        self.job = job
        self.started_ns = started
        self.context = context
        self.deadline: Deadline | None = None

    @property
    def kind(self) -> Kind:
        assert self.job.kind is not None
        return self.job.kind


class Company:
    """`running` by number; `left` have ended, and are in the page's table until they `leave`."""

    def __init__(
        self,
        host: Host,
        loop: Loop,
        page: WorkerPage,
        output: Output,
        reports: StepReports,
        limits: Limits,
        standstill: Standstill,
        max_payload_bytes: int,
    ) -> None:
        self._host = host
        self._loop = loop
        self._page = page
        self._output = output
        self._reports = reports
        self._limits = limits
        self._standstill = standstill
        self._max_payload = max_payload_bytes
        self._pool: ThreadPoolExecutor | None = None
        self._places = list(range(PLACES - 1, -1, -1))
        self._counts: dict[Kind, int] = {"coroutine": 0, "thread": 0}
        self._pid = os.getpid()
        self.running: dict[int, Run] = {}
        self.left: list[Run] = []

    def has_room(self, kind: Kind) -> bool:
        return self._counts[kind] < self._limits.of(kind) and bool(self._places)

    def join(self, event_id: bytes, event: StepEvent, job: Job, started_ns: int) -> None:
        """Run the event that the host has just started; all that it had staged of plain ones is
        published."""
        assert job.kind is not None
        number = self._host.number
        step = StepContext.from_event(event_id, event, job.spec)
        run = Run(number, self._places.pop(), event_id, job, step, started_ns)
        self._page.join(run.place, Joined(number, job.kind, started_ns))
        self._host.ended = number
        self.running[number] = run
        self._counts[job.kind] += 1
        context = copy_context()
        context.run(NUMBER.set, number)
        context.run(self._output.enter, step)
        if job.kind == "thread":
            self._start_thread(run, context)
        else:
            self._start_coroutine(run, context)

    def leave(self) -> None:
        """What has ended is published: only now it is out of the table, as with `mark_finished`."""
        for run in self.left:
            self._page.leave(run.place)
            self._places.append(run.place)
        self.left.clear()

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown()

    def _start_coroutine(self, run: Run, context: Context) -> None:
        loop = self._loop.loop
        task = loop.create_task(self._drive(run), context=context)
        if loop.is_running():
            self._standstill.begin(loop)
        limit = run.job.spec.step.timeout_seconds or self._limits.timeout
        run.deadline = Deadline(loop, task, limit, self._standstill)

    async def _drive(self, run: Run) -> None:
        """What a handler raises is an outcome; anything else ends the worker, as anywhere."""
        try:
            self._end(run, await self._outcome(run))
        except BaseException as error:
            self._loop.fail(error)

    async def _outcome(self, run: Run) -> StepOutcome:
        self._reports.begun(run.context)
        method, deadline = run.job.spec.step.handler.method, run.deadline
        outcome = await invoke_async(_handler(run.job), method, run.context, self._max_payload)
        if deadline is not None and deadline.passed and outcome.error is not None:
            outcome = timeout_of(deadline, outcome)
        return self._reports.settled(run.context, run.job.spec, outcome)

    def _start_thread(self, run: Run, context: Context) -> None:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._limits.threads, "step")
        future = self._loop.loop.run_in_executor(self._pool, context.run, self._in_thread, run)
        future.add_done_callback(
            lambda done: self._loop.guarded(lambda: self._end(run, done.result()))
        )

    def _in_thread(self, run: Run) -> StepOutcome:
        self._reports.begun(run.context)
        method = run.job.spec.step.handler.method
        outcome = invoke(_handler(run.job), method, run.context, asyncio.run, self._max_payload)
        if os.getpid() != self._pid:
            os._exit(0)  # a child that the handler forked and forgot to end
        return self._reports.settled(run.context, run.job.spec, outcome)

    def _end(self, run: Run, outcome: StepOutcome) -> None:
        """Stage the result; its place is free once it is published."""
        finished = time.monotonic_ns()
        outcome.run_ns, outcome.ended_ns = finished - run.started_ns, finished
        outcome.concurrency = self._limits.of(run.kind)
        run.job.note(outcome.run_ns)
        if run.deadline is not None:
            run.deadline.cancel()
        self._host.put(run.event_id, encode(outcome))
        self._reports.ended(run.context, outcome)
        del self.running[run.number]
        self._counts[run.kind] -= 1
        if not self.running:
            self._standstill.end()
        self.left.append(run)
        if self._output.unsettled:
            self._output.settle(run.context)
        self._loop.wake()


def _handler(job: Job) -> StepHandler:
    assert isinstance(job.handler, StepHandler)
    return job.handler
