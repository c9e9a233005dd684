"""One incarnation of a worker as the supervisor holds it: its rings, its page, what it was sent."""

import os
import signal
import time

import psutil

from tasker_mp import transport
from tasker_mp.engine.zygote_process import exit_reason
from tasker_mp.inflight import Entry
from tasker_mp.transport.interface import Channel, Record
from tasker_mp.worker.page import WorkerPage, create_page
from tasker_mp.worker.settings import EXIT_EVENT, ForkRequest, WorkerSettings


class Wiring:
    """The channels and the page of an incarnation that is about to be forked."""

    def __init__(self, settings: WorkerSettings) -> None:
        sizes = (settings.capacity_bytes, settings.max_payload_bytes)
        self.requests: Channel = transport.open_channel(settings.transport, *sizes)
        self.results: Channel = transport.open_channel(settings.transport, *sizes)
        self.page_fd = create_page()

    def fork_request(self, index: int, epoch: int) -> tuple[ForkRequest, list[int]]:
        request_fds = self.requests.fds("reader")
        result_fds = self.results.fds("writer")
        request = ForkRequest(index, epoch, len(request_fds), len(result_fds))
        return request, [*request_fds, *result_fds, self.page_fd]

    def close(self) -> None:
        self.requests.close()
        self.results.close()
        os.close(self.page_fd)


class WorkerProcess:
    """A running worker. Its memory dies with it: a new incarnation gets new rings."""

    def __init__(self, index: int, epoch: int, pid: int, wiring: Wiring, depth: int) -> None:
        self.index = index
        self.epoch = epoch
        self.pid = pid
        self.pidfd = os.pidfd_open(pid)
        self.started_at = time.monotonic()
        self.processed = 0
        self.failed = 0
        self.exiting = False
        self.usage = psutil.Process(pid)
        self._depth = depth
        self._requests = wiring.requests.writer()
        self.results = wiring.results.reader()
        self.page = WorkerPage(wiring.page_fd)
        wiring.close()  # each side has its own descriptors by now
        self._sent: dict[bytes, Entry] = {}
        self._sequence = 0

    @property
    def room(self) -> int:
        """How many more events may wait in its ring: bounded, so few wait behind a slow one."""
        return 0 if self.exiting else self._depth - len(self._sent)

    @property
    def request_fill(self) -> float:
        """The part of its allowance that waits for it or runs, 0 to 1."""
        return len(self._sent) / self._depth

    def send(self, entry: Entry) -> bool:
        """Stage an event; False where its ring has no room now."""
        if not self._put(entry.event_id, entry.payload):
            return False
        self._sequence += 1
        entry.worker = self.index
        entry.sequence = self._sequence
        self._sent[entry.event_id] = entry
        return True

    def _put(self, event_id: bytes, payload: bytes) -> bool:
        if self._requests.put(event_id, payload):
            return True
        self._requests.reclaim()
        return self._requests.put(event_id, payload)

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

    def drain(self) -> list[Record]:
        """The results that it has published and nobody has read yet."""
        records = self.results.drain()
        for record in records:
            self._sent.pop(record.event_id, None)
        self.processed += len(records)
        return records

    def running(self) -> Entry | None:
        """The event in its handler now: the latest started one, if it has no result yet."""
        started = self.page.started
        return next((e for e in self._sent.values() if e.sequence == started), None)

    def split_outstanding(self) -> tuple[list[Entry], list[Entry]]:
        """What has no result, after the final drain: (started, not started), in order."""
        started = self.page.started
        entries = list(self._sent.values())
        return (
            [entry for entry in entries if entry.sequence <= started],
            [entry for entry in entries if entry.sequence > started],
        )

    def ask_to_exit(self) -> None:
        """Stage the exit record: the worker finishes what it has and leaves."""
        self.exiting = True
        if self._put(EXIT_EVENT, b""):
            self._requests.publish()
        else:
            self.kill()

    def kill(self) -> None:
        """SIGKILL to the worker's process group, by its leader."""
        for send in (os.killpg, os.kill):
            try:
                send(self.pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
            else:
                return

    def reap(self) -> str:
        """Collect the exit status of the dead worker; how it ended, in words."""
        status = os.waitid(os.P_PIDFD, self.pidfd, os.WEXITED)
        if status is None:
            return "not dead"
        killed = status.si_code in (os.CLD_KILLED, os.CLD_DUMPED)
        return exit_reason(-status.si_status if killed else status.si_status)

    def close(self) -> None:
        os.close(self.pidfd)
        self.page.close()
        self._requests.close()
        self.results.close()
