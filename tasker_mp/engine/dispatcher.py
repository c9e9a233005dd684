"""Turns claimed steps into events and hands each to the worker with the least to do."""

import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

import structlog

from tasker_mp.claimed_step import ClaimedStep
from tasker_mp.engine.specs import SpecCache
from tasker_mp.errors import PayloadTooLargeError, TransportError
from tasker_mp.inflight import Entry, InflightTable, Settled
from tasker_mp.messages import StepError
from tasker_mp.result import ErrorType
from tasker_mp.settle import settle_failure

log = structlog.get_logger("tasker_mp.dispatcher")


class Recipient(Protocol):
    """A worker as the dispatcher sees it."""

    @property
    def room(self) -> int: ...
    def takes(self, entry: Entry) -> bool: ...
    def send(self, entry: Entry) -> bool: ...
    def publish(self) -> None: ...
    def kill(self) -> None: ...


class Dispatcher:
    """Keeps what is claimed and not yet with a worker, in the order of claiming."""

    def __init__(self, inflight: InflightTable, specs: SpecCache, max_payload_bytes: int) -> None:
        self._inflight = inflight
        self._specs = specs
        self._max_payload = max_payload_bytes
        self.backlog: deque[Entry] = deque()
        self._apart: deque[Entry] = deque()
        self.dispatched = 0

    @property
    def waiting(self) -> bool:
        """Whether anything is claimed and with no worker."""
        return bool(self.backlog or self._apart)

    def accept(self, claimed: Iterable[ClaimedStep]) -> list[Settled]:
        """Take steps in; those whose event cannot be sent at all come back with their fate."""
        refused = []
        now = time.monotonic()
        for step in claimed:
            # After a lost connection the same step may be told twice.
            if self._inflight.knows(step.event_id):
                continue
            entry = self._entry(step, now)
            self._inflight.add(entry)
            if len(entry.payload) > self._max_payload:
                self._inflight.settle(entry.event_id)
                refused.append(settle_failure(entry, self._too_large(entry), 0.0))
            else:
                self.backlog.append(entry)
        return refused

    def refuse(self, step: ClaimedStep, error: StepError) -> Settled:
        """The fate of a claimed step whose event cannot even be made."""
        entry = self._entry(step, time.monotonic())
        self._inflight.add(entry)
        self._inflight.settle(entry.event_id)
        return settle_failure(entry, error, 0.0)

    def _entry(self, step: ClaimedStep, now: float) -> Entry:
        own = step.own()
        template_step = own.template_step or step.name
        spec = self._specs.get(step.template_id, template_step)
        return Entry.of(
            step,
            spec.step,
            step.event(spec.encoded, own),
            now,
            pace=spec.pace,
            growing=spec.growing,
            template_step=template_step,
        )

    def dispatch(self, workers: Sequence[Recipient]) -> None:
        """Send what the workers have room for: one publication a worker, never waiting."""
        touched: dict[int, Recipient] = {}
        self._send_apart(workers, touched)
        rooms = sorted(((w.room, i) for i, w in enumerate(workers) if w.room > 0), reverse=True)
        if self._apart and rooms:
            rooms.pop(0)  # it gets nothing more until it has what one of those wants
        while self.backlog and rooms:
            # Shares by room: the emptiest worker first, each gets its part of the batch.
            share = -(-len(self.backlog) // len(rooms))
            room, index = rooms.pop(0)
            worker = workers[index]
            with self._reaching(worker):
                if self._send(worker, min(share, room)):
                    touched[index] = worker
        self._send_apart(workers, touched)
        for worker in touched.values():
            worker.publish()

    @contextmanager
    def _reaching(self, worker: Recipient) -> Iterator[None]:
        try:
            yield
        except TransportError as error:
            log.error("worker cannot be reached: killed", error=str(error))
            worker.kill()

    def _send(self, worker: Recipient, count: int) -> int:
        sent = 0
        while sent < count and self.backlog:
            if not worker.takes(self.backlog[0]):
                self._apart.append(self.backlog.popleft())
            elif worker.send(self.backlog[0]):
                self.backlog.popleft()
                sent += 1
            else:
                break
        self.dispatched += sent
        return sent

    def _send_apart(self, workers: Sequence[Recipient], touched: dict[int, Recipient]) -> None:
        """Those that some worker would not take beside what it had, to any that does, in order."""
        while self._apart:
            entry = self._apart[0]
            able = [i for i, w in enumerate(workers) if w.room > 0 and w.takes(entry)]
            index = max(able, key=lambda i: workers[i].room, default=None)
            if index is None:
                return
            with self._reaching(workers[index]):
                if not workers[index].send(entry):
                    return
                self._apart.popleft()
                self.dispatched += 1
                touched[index] = workers[index]
                continue
            return

    def requeue(self, entries: Iterable[Entry]) -> None:
        """Put events back in front that a dead worker never started, in their order."""
        for entry in reversed(list(entries)):
            entry.worker = None
            self.backlog.appendleft(entry)

    def forget(self) -> list[Entry]:
        """Empty the backlog: what was claimed and never sent, to be given back."""
        unsent = [*self._apart, *self.backlog]
        self._apart.clear()
        self.backlog.clear()
        for entry in unsent:
            self._inflight.settle(entry.event_id)
        return unsent

    def _too_large(self, entry: Entry) -> StepError:
        return StepError(
            message=(
                f"the step's input (context and ancestors' results) is {len(entry.payload)} bytes, "
                f"above [ring] max_payload_bytes = {self._max_payload}"
            ),
            error_type=ErrorType.PERMANENT_ERROR,
            error_code=PayloadTooLargeError.__name__,
            retryable=False,
        )
