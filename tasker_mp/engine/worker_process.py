"""One incarnation of a worker as the supervisor holds it: its rings, its page, what it was sent."""

import os
import signal
from contextlib import suppress
from typing import Any
from uuid import UUID

import psutil
from msgspec import Struct

from tasker_mp import logs
from tasker_mp.engine.blame import SUSPICIONS, Blame, find_blame
from tasker_mp.engine.wiring import Wiring
from tasker_mp.engine.worker_output import STREAMS, WorkerOutput
from tasker_mp.engine.zygote_process import exit_reason
from tasker_mp.inflight import Entry
from tasker_mp.transport.interface import Record
from tasker_mp.worker.gate import Gate
from tasker_mp.worker.page import Joined, Turn, WorkerPage
from tasker_mp.worker.settings import EXIT_EVENT, STACK_SIGNAL

_QUEUED_SECONDS = 0.1
"""A worker is sent no more than it usually runs in this time: what waits in its ring is late."""
_STACK_BYTES = 8192
_REFUSALS = 3


class Condemned(Struct, frozen=True):
    """A worker that is being killed over a step that it runs; over a turn of the event loop, if it
    is still the same one then. `why` says more than that it ran for too long."""

    entry: Entry
    run_seconds: float
    limit_seconds: float
    rss_bytes: int
    turn: Turn | None = None
    why: str = ""


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
        self._shared: set[bytes] = set()
        self._lonely: Entry | None = None
        self._executed = False
        self._exit_code = 0
        self._queued_seconds = 0.0
        self._number = 0

    # -- dispatch -----------------------------------------------------------------------------

    @property
    def room(self) -> int:
        """How many more events it may be sent: few, so that hardly any waits behind a slow one."""
        if self.exiting or self.stuck or self._lonely or self._queued_seconds > _QUEUED_SECONDS:
            return 0
        return self._depth - len(self._sent)

    @property
    def request_fill(self) -> float:
        """The part of its allowance that waits for it or runs, 0 to 1."""
        return len(self._sent) / self._depth

    @property
    def ended(self) -> int:
        """Events that it has published the results of, and nobody has read yet."""
        finished, joined = self.page.finished, self.page.joined()
        return sum(
            1 for e in self._sent.values() if e.number <= finished and e.number not in joined
        )

    @property
    def result_fill(self) -> float:
        """The part of its allowance whose results wait to be read, 0 to 1."""
        return self.ended / self._depth

    @property
    def dispatched(self) -> int:
        """The number of the latest event that it was sent."""
        return self._number

    def takes(self, entry: Entry) -> bool:
        """Whether it may have this event beside what it has: not one that would wait for its
        coroutines, and one that is under suspicion only by itself."""
        if entry.suspected >= SUSPICIONS:
            return not self._sent
        # What the page has beyond that is only about to leave, and nobody would say so once it has.
        return not (entry.pace.apart and (self._shared or self.joined()))

    def send(self, entry: Entry) -> bool:
        """Stage an event; False where its ring has no room now, or it has enough to do."""
        if self._queued_seconds > _QUEUED_SECONDS or not self._put(entry.event_id, entry.payload):
            return False
        self._number += 1
        entry.worker = self.index
        entry.number = self._number
        entry.expected = entry.pace.share(_QUEUED_SECONDS)
        self._queued_seconds += entry.expected
        self._sent[entry.event_id] = entry
        if entry.pace.concurrency > 1:
            self._shared.add(entry.event_id)
        if entry.suspected >= SUSPICIONS:
            self._lonely = entry
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
            self._shared.discard(event_id)
        if not self._sent:
            self._lonely = None
            self._queued_seconds = 0.0  # no rounding errors are kept

    def running(self) -> Entry | None:
        """The event in its handler now that has the worker to itself, as its page has it."""
        number = self.page.started
        return None if number == self.page.finished else self.entry_of(number)

    def joined(self) -> list[tuple[Entry, Joined]]:
        """Those that run beside each other, in the order of their starts."""
        if not (events := self.page.joined()):
            return []
        return [(e, events[e.number]) for e in self._sent.values() if e.number in events]

    def longest(self) -> Entry | None:
        """Of all that run, the one that started first."""
        joined = min(self.joined(), key=lambda pair: pair[1].since_ns, default=None)
        return joined[0] if joined else self.running()

    @property
    def run_count(self) -> int:
        return len({e.number for e, _ in self.joined()} | {e.number for e in [self.running()] if e})

    def entry_of(self, number: int) -> Entry | None:
        """What it has under this number, without a result so far."""
        return next((e for e in self._sent.values() if e.number == number), None)

    def behind(self) -> tuple[int, int] | None:
        """How far it has come, where it runs nothing and has something to do: events to come to,
        results to publish, or its leave to take; else None."""
        reached = self.page.reached
        if self.joined():
            return None
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
        if entries[0].number == self.page.kept:
            entries[0].pace.note_kept(_QUEUED_SECONDS)
        for entry in entries:
            self._forget(entry.event_id)
        return entries

    def split_outstanding(self) -> tuple[Blame, list[Entry]]:
        """What has no result, after the final drain: (who is to blame, all but the one who is to be
        charged), in order."""
        executed = self._executed and self._exit_code == -signal.SIGKILL and self.condemned
        sent = list(self._sent.values())
        blame = find_blame(sent, self.page, executed.entry if executed else None)
        return blame, [entry for entry in sent if entry is not blame.charged]

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
            if self._is_at(condemned):
                self._executed = True
                self.kill()
                return
            self._gate.give()
        else:
            self._refusals += 1
            if self._refusals >= _REFUSALS:  # it has stopped in the middle of a start
                self.kill()
                return
        self.condemned = None

    def _is_at(self, condemned: Condemned) -> bool:
        if condemned.turn is not None:
            return self.page.turn == condemned.turn
        entry = condemned.entry
        return self.running() is entry or any(entry is joined for joined, _ in self.joined())

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
        self._exit_code = os.waitstatus_to_exitcode(status)
        return exit_reason(self._exit_code)

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
        if entry := self._last_run if self._closed else self._speaker():
            fields |= {"task": str(UUID(bytes=entry.task)), "step": entry.name}
            fields |= {"attempt": entry.attempt, "event_id": str(UUID(bytes=entry.event_id))}
        return fields

    def _speaker(self) -> Entry | None:
        """Whose code it is in, where that is known."""
        joined, turn = self.joined(), self.page.turn
        if entry := self.running() or (self.entry_of(turn.number) if turn else None):
            return entry
        return joined[0][0] if len(joined) == 1 else None

    def close(self) -> None:
        self._last_run = self._speaker()
        self._closed = True
        for fd in self._output_fds:
            os.close(fd)
        os.close(self.pidfd)
        os.close(self._stack_fd)
        self._gate.close()
        self.page.close()
        self._requests.close()
        self.results.close()
