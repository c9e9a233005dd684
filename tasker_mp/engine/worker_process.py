"""One incarnation of a worker as the supervisor holds it: its rings, its page, what it was sent."""

import os
import signal
from contextlib import suppress
from itertools import chain
from typing import Any
from uuid import UUID

import psutil
from msgspec import Struct

from tasker_mp import logs, transport
from tasker_mp.engine.worker_output import STREAMS, WorkerOutput, output_pipe
from tasker_mp.engine.zygote_process import exit_reason
from tasker_mp.inflight import Entry
from tasker_mp.transport.interface import Channel, Record
from tasker_mp.worker.gate import Gate
from tasker_mp.worker.page import WorkerPage, create_page
from tasker_mp.worker.settings import EXIT_EVENT, STACK_SIGNAL, ForkRequest, WorkerSettings

_QUEUED_SECONDS = 0.1
"""A worker is sent no more than it usually runs in this time: what waits in its ring is late."""
_STACK_BYTES = 8192
_REFUSALS = 3


class Condemned(Struct, frozen=True):
    """A worker that is being killed over the step that it runs."""

    entry: Entry
    run_seconds: float
    limit_seconds: float
    rss_bytes: int


class Wiring:
    """The channels, page, gate, stack file and output of an incarnation about to be forked."""

    def __init__(self, settings: WorkerSettings) -> None:
        sizes = (settings.capacity_bytes, settings.max_payload_bytes)
        self.requests: Channel = transport.open_channel(settings.transport, *sizes)
        self.results: Channel = transport.open_channel(settings.transport, *sizes)
        self.page_fd = create_page()
        self.gate_fd = Gate.create()
        self.stack_fd = os.memfd_create("tasker-mp-stack", os.MFD_CLOEXEC)
        self.output = [output_pipe() for _ in STREAMS]

    def fork_request(self, index: int, epoch: int) -> tuple[ForkRequest, list[int]]:
        request_fds = self.requests.fds("reader")
        result_fds = self.results.fds("writer")
        request = ForkRequest(index, epoch, len(request_fds), len(result_fds))
        others = (self.page_fd, self.gate_fd, self.stack_fd, *(writer for _, writer in self.output))
        return request, [*request_fds, *result_fds, *others]

    def close(self) -> None:
        self.requests.close()
        self.results.close()
        for fd in (self.page_fd, self.gate_fd, self.stack_fd, *chain(*self.output)):
            os.close(fd)


class WorkerProcess:
    """A running worker. Its memory dies with it: a new incarnation gets new rings."""

    def __init__(self, index: int, epoch: int, pid: int, wiring: Wiring, depth: int) -> None:
        self.index = index
        self.epoch = epoch
        self.pid = pid
        self.pidfd = os.pidfd_open(pid)
        self.processed = 0
        self.exiting = False
        self.stuck = False
        self.peak_rss_bytes = 0
        """The most memory that it ever had, once it is reaped."""
        self.lacks_room = False
        """Whether an event did not fit in its ring: its next credit is to be waited for."""
        self._refusals = 0
        self.condemned: Condemned | None = None
        self.usage = psutil.Process(pid)
        self._depth = depth
        self._requests = wiring.requests.writer()
        self.results = wiring.results.reader()
        self.page = WorkerPage(wiring.page_fd)
        self.page.adopt()
        self._gate = Gate(os.dup(wiring.gate_fd))
        self._stack_fd = os.dup(wiring.stack_fd)
        self._output_fds = [os.dup(reader) for reader, _ in wiring.output]
        self._last_run: Entry | None = None
        self._closed = False
        self.page.set_severity(logs.severity())
        wiring.close()  # each side has its own descriptors by now
        self._sent: dict[bytes, Entry] = {}
        self._queued_seconds = 0.0
        self._number = 0

    # -- dispatch -----------------------------------------------------------------------------

    @property
    def room(self) -> int:
        """How many more events it may be sent: few, so that hardly any waits behind a slow one."""
        if self.exiting or self.stuck or self._queued_seconds > _QUEUED_SECONDS:
            return 0
        return self._depth - len(self._sent)

    @property
    def request_fill(self) -> float:
        """The part of its allowance that waits for it or runs, 0 to 1."""
        return len(self._sent) / self._depth

    @property
    def ended(self) -> int:
        """Events that it has published the results of, and nobody has read yet."""
        finished = self.page.finished
        return sum(1 for entry in self._sent.values() if entry.number <= finished)

    @property
    def result_fill(self) -> float:
        """The part of its allowance whose results wait to be read, 0 to 1."""
        return self.ended / self._depth

    def send(self, entry: Entry) -> bool:
        """Stage an event; False where its ring has no room now, or it has enough to do."""
        if self._queued_seconds > _QUEUED_SECONDS or not self._put(entry.event_id, entry.payload):
            return False
        self._number += 1
        entry.worker = self.index
        entry.number = self._number
        entry.expected = entry.pace.usual
        self._queued_seconds += entry.expected
        self._sent[entry.event_id] = entry
        return True

    def _put(self, event_id: bytes, payload: bytes) -> bool:
        if self._requests.put(event_id, payload):
            return True
        self._requests.reclaim()
        self.lacks_room = not self._requests.put(event_id, payload)
        return not self.lacks_room

    def publish(self) -> None:
        self._requests.publish()

    @property
    def stalled(self) -> bool:
        """Whether a part of what was published waits for credit (on a pipe only)."""
        return self._requests.stalled

    def credit_fileno(self) -> int:
        return self._requests.credit_fileno()

    def reclaim(self) -> None:
        self._requests.reclaim()
        self.lacks_room = False

    # -- results ------------------------------------------------------------------------------

    def drain(self) -> list[Record]:
        """The results that it has published and nobody has read yet."""
        records = self.results.drain()
        for record in records:
            self._forget(record.event_id)
        self.processed += len(records)
        if records:
            self.stuck = False
        return records

    def _forget(self, event_id: bytes) -> None:
        entry = self._sent.pop(event_id, None)
        if entry is not None:
            self._queued_seconds -= entry.expected
        if not self._sent:
            self._queued_seconds = 0.0  # no rounding errors are kept

    def running(self) -> Entry | None:
        """The event in its handler now, as its page has it."""
        number = self.page.started
        if number == self.page.finished:
            return None
        return next((e for e in self._sent.values() if e.number == number), None)

    def behind(self) -> tuple[int, int] | None:
        """How far it has come, where it runs nothing and has something to do: events to come to,
        results to publish, or its leave to take; else None."""
        reached = self.page.reached
        if self._sent or self.exiting or reached < self.page.revoked:
            return reached, self.page.finished
        return None

    def _has_unstarted(self) -> bool:
        last = next(reversed(self._sent.values()), None)
        return last is not None and last.number > self.page.started

    def revoke(self) -> list[Entry]:
        """Take back what it has not started; nothing where it is starting something just now."""
        if not self._has_unstarted() or not self._gate.try_take():
            return []
        started = self.page.started
        self.page.revoke(self._number)
        self._gate.give()
        entries = [entry for entry in self._sent.values() if entry.number > started]
        for entry in entries:
            self._forget(entry.event_id)
        return entries

    def split_outstanding(self) -> tuple[list[Entry], list[Entry]]:
        """What has no result, after the final drain: (the one to blame, all others), in order.

        That is the one running at its death. But where the page calls a step finished and no good
        result of it came, the worker was broken by then, and the first such step is to blame: sent
        elsewhere uncharged, it would break one worker after the other.

        Steps that had ended, but whose results were not published yet, are among the others: they
        did not bring the worker down.
        """
        finished = self.page.finished
        lost = next((entry for entry in self._sent.values() if entry.number <= finished), None)
        blamed = lost or self.running()
        others = [entry for entry in self._sent.values() if entry is not blamed]
        return ([blamed] if blamed else []), others

    # -- death --------------------------------------------------------------------------------

    def condemn(self, condemned: Condemned) -> None:
        """Prepare to kill it over a step: have it write its stack."""
        self.condemned = condemned
        self.ask_for_stack()

    def ask_for_stack(self) -> None:
        """Have it write its stack anew; one that starts up yet cannot, and would die of it."""
        # Its descriptor is this one's twin: they share the place at which it writes.
        os.ftruncate(self._stack_fd, 0)
        os.lseek(self._stack_fd, 0, os.SEEK_SET)
        self._signal(STACK_SIGNAL)

    def execute(self) -> None:
        """Kill it, if it still runs the step that it was condemned for.

        The gate is taken and kept, so that it cannot start another one in between.
        """
        condemned = self.condemned
        if condemned is None:
            return
        if self._gate.try_take():
            if self.running() is condemned.entry:
                self.kill()
                return
            self._gate.give()
        else:
            self._refusals += 1
            if self._refusals >= _REFUSALS:  # it has stopped in the middle of a start
                self.kill()
                return
        self.condemned = None

    def stack(self) -> str:
        """The Python stacks that it wrote when it was last asked; may be empty."""
        return os.pread(self._stack_fd, _STACK_BYTES, 0).decode(errors="replace")

    def ask_to_exit(self) -> None:
        """Stage the exit record: the worker finishes what it has and leaves."""
        self.exiting = True
        if self._put(EXIT_EVENT, b""):
            self._requests.publish()
        else:
            self.kill()

    def kill(self) -> None:
        """SIGKILL to the worker and its process group: what its handler forked."""
        with suppress(ProcessLookupError):  # it has not made its group yet
            os.killpg(self.pid, signal.SIGKILL)
        self._signal(signal.SIGKILL)  # a handler may have left the group

    def _signal(self, signum: signal.Signals) -> None:
        try:
            signal.pidfd_send_signal(self.pidfd, signum)
        except ProcessLookupError:
            return

    def reap(self) -> str:
        """Collect the exit status of the dead worker; how it ended, in words."""
        _, status, usage = os.wait4(self.pid, 0)  # a zombie's pid is nobody else's
        self.peak_rss_bytes = usage.ru_maxrss << 10
        return exit_reason(os.waitstatus_to_exitcode(status))

    # -- output -------------------------------------------------------------------------------

    def follow_output(self) -> None:
        """Log what it and what it starts write, from the event loop, until all of them have closed
        it: that may be after its death."""
        for fd, (stream, level) in zip(self._output_fds, STREAMS, strict=True):
            WorkerOutput(fd, stream, level, self._whose)
        self._output_fds = []

    def _whose(self) -> dict[str, Any]:
        """Its fields for a line of the log, and those of the step that it runs or died over."""
        fields: dict[str, Any] = {"worker": self.index, "pid": self.pid}
        if entry := self._last_run if self._closed else self.running():
            fields |= {"task": str(UUID(bytes=entry.task)), "step": entry.name}
            fields |= {"attempt": entry.attempt, "event_id": str(UUID(bytes=entry.event_id))}
        return fields

    def close(self) -> None:
        self._last_run = self.running()
        self._closed = True
        for fd in self._output_fds:
            os.close(fd)
        os.close(self.pidfd)
        os.close(self._stack_fd)
        self._gate.close()
        self.page.close()
        self._requests.close()
        self.results.close()
