"""Steps that run beside each other in one worker: coroutines on its event loop, and threads.

They start in the order of the ring, each by the gate as any other step; from then on they are in
the page's table until their results are published. A plain step has the worker to itself: neither
may it hold up coroutines, whose deadlines go on, nor may its crash take them along, nor may
`asyncio.run()` in it meet a running loop. So it waits, unstarted, until they have ended, and the
supervisor takes it back meanwhile, with all behind it. One that this worker knows to be brief runs
between two turns of the loop instead, or else a stream of coroutines would let it wait for long.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

import msgspec

from tasker_mp.messages import StepEvent, StepOutcome
from tasker_mp.transport.interface import Record
from tasker_mp.worker import company
from tasker_mp.worker.company import Company, Limits
from tasker_mp.worker.deadline import Standstill
from tasker_mp.worker.job import Job, JobBook, read_event
from tasker_mp.worker.output import Output
from tasker_mp.worker.page import WorkerPage
from tasker_mp.worker.reports import StepReports
from tasker_mp.worker.settings import EXIT_EVENT
from tasker_mp.worker.turn import Holder, mark_turns

_LOOK_SECONDS = 0.05
"""How often a worker whose next step has to wait looks whether that was taken back."""


class Host(company.Host, Protocol):
    """The worker: what it has in hand, and its rings."""

    pending: deque[Record]

    def requests_fileno(self) -> int: ...
    def fetch(self) -> None: ...
    def start(self, now_ns: int) -> bool: ...
    def publish(self) -> None: ...


class Together:
    """One event loop for the worker's life: what handlers leave behind on it goes on whenever it
    runs, and whenever the worker has nothing else to do after a coroutine."""

    def __init__(
        self,
        host: Host,
        page: WorkerPage,
        jobs: JobBook,
        output: Output,
        reports: StepReports,
        limits: Limits,
        max_payload_bytes: int,
    ) -> None:
        self._host = host
        self._page = page
        self._jobs = jobs
        self._output = output
        self._holder = Holder(page)
        self._runner: asyncio.Runner | None = None
        self._peeked: tuple[Record, StepEvent | StepOutcome, Job | None] | None = None
        self._turn_due = False
        self._serving = False
        self._looking: asyncio.TimerHandle | None = None
        self._standstill = Standstill(self._holder)
        self._failure: BaseException | None = None
        self._company = Company(
            host, self, page, output, reports, limits, self._standstill, max_payload_bytes
        )
        self.join = self._company.join
        self.running = self._company.running
        self.left = self._company.left

    @property
    def runner(self) -> asyncio.Runner:
        """Made when the first coroutine comes: a worker of plain handlers never needs it."""
        if self._runner is None:
            self._runner = asyncio.Runner()
            mark_turns(self._runner.get_loop(), self._holder)
        return self._runner

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        return self.runner.get_loop()

    def serve(self) -> None:
        """Run the event loop until a plain step is to run, or the worker's leave to take."""
        loop = self.loop
        loop.add_reader(self._host.requests_fileno(), self.guarded, self._arrived)
        if self.running:
            self._standstill.begin(loop)
        self._serving = True
        self.wake()
        try:
            while self._serving:  # anybody's callback may have stopped it
                loop.run_forever()
        finally:
            self._serving = False
            self._standstill.end()
            loop.remove_reader(self._host.requests_fileno())
        if self._failure is not None:
            raise self._failure

    def close(self) -> None:
        self._company.close()
        if self._runner is not None:
            self._runner.close()

    # -- the ring -----------------------------------------------------------------------------

    def guarded(self, callback: Callable[[], None]) -> None:
        """A loop only logs what its callbacks raise, and this worker could not go on."""
        try:
            callback()
        except BaseException as error:
            self.fail(error)

    def fail(self, error: BaseException) -> None:
        """End the worker with it."""
        self._failure = error
        self._leave()

    def _leave(self) -> None:
        self._serving = False
        self.loop.call_soon(self.loop.stop)

    def wake(self) -> None:
        """Publish and start once all that is ready on the loop now has run."""
        if not self._turn_due:
            self._turn_due = True
            self.loop.call_soon(self.guarded, self._turn)

    def _arrived(self) -> None:
        self._host.fetch()
        self.wake()

    def _turn(self) -> None:
        self._turn_due = False
        if not self._serving:
            return  # a plain step runs the loop for itself: nothing starts before it has ended
        self._host.publish()
        self._company.leave()
        if self._looking is not None:
            self._looking.cancel()
            self._looking = None
        while self._advance():
            pass

    def _advance(self) -> bool:
        """Start or skip the next event; False where it has to wait, or is not for this loop."""
        host = self._host
        if not host.pending:
            if not self.running and self._output.unsettled:
                self._output.settle(idle=True)
            return False
        if host.pending[0].event_id == EXIT_EVENT:
            if not self.running:
                self._leave()
            return False
        if host.number < self._page.revoked:
            return self._begin(None, None)
        event, job = self._peek(host.pending[0])
        if job is None or job.kind is None:
            if not self.running or job is None or job.brief:
                self._leave()
            else:
                self._page.mark_kept(host.number + 1)
                self._look_again()
            return False
        if not self._company.has_room(job.kind):
            return False
        assert isinstance(event, StepEvent)
        return self._begin(event, job)

    def _begin(self, event: StepEvent | None, job: Job | None) -> bool:
        host = self._host
        record = host.pending.popleft()
        host.number += 1
        started = time.monotonic_ns()
        if host.start(started) and event is not None and job is not None:
            self.join(record.event_id, event, job, started)
        return True

    def _look_again(self) -> None:
        """Nothing else tells of a revocation, and what comes after it could start."""
        self._looking = self.loop.call_later(_LOOK_SECONDS, self.guarded, self._turn)

    def _peek(self, record: Record) -> tuple[StepEvent | StepOutcome, Job | None]:
        """What the next event is; no job where the plain way, which nothing surprises, is to find
        out why."""
        if self._peeked is None or self._peeked[0] is not record:
            event = read_event(record.payload)
            self._peeked = (record, event, self._job_of(event))
        return self._peeked[1:]

    def _job_of(self, event: StepEvent | StepOutcome) -> Job | None:
        if isinstance(event, StepOutcome):
            return None
        encoded = bytes(event.spec)
        job = self._jobs.known(encoded)
        if job is None and self.running:
            with self._held_for(self._host.number + 1):
                try:
                    return self._jobs.get(encoded)
                except msgspec.DecodeError:
                    return None
        return job

    @contextmanager
    def _held_for(self, number: int) -> Iterator[None]:
        """Importing a handler may do anything: it is to blame then, though it has not started."""
        outer = self._holder.enter(number)
        try:
            yield
        finally:
            self._holder.leave(outer)
