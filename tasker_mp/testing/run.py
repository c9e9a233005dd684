"""One task, run inline: its steps in the order in which they become ready, on a fake clock."""

import os
from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from tasker_mp.claimed_step import ClaimedStep
from tasker_mp.client.catalog import Catalog
from tasker_mp.client.submission import Submission, submit_parameters
from tasker_mp.config import Config
from tasker_mp.engine.dispatcher import Dispatcher
from tasker_mp.engine.specs import SpecCache
from tasker_mp.errors import EngineError
from tasker_mp.identity import step_uuid
from tasker_mp.inflight import Entry, InflightTable, Settled
from tasker_mp.messages import Published
from tasker_mp.publication import default_events, message_of
from tasker_mp.settle import grown, settle
from tasker_mp.states import StepState
from tasker_mp.template.model import Template, canonical_json
from tasker_mp.testing.rows import Row, Rows
from tasker_mp.testing.task import InlineStep, InlineTask, PublishedEvent
from tasker_mp.testing.worker import FIRED_BY, InlineWorker

_TEMPLATE_ID = 1
_MOST_CHECKPOINTS = 10_000
"""Of one attempt: a step that yields without end would keep its test for ever."""


class InlineRun:
    """One task; `_clock` is the seconds of backoff that have passed."""

    def __init__(
        self, template: Template, context: Mapping[str, Any], worker: InlineWorker, config: Config
    ) -> None:
        self._template = template
        self._worker = worker
        self._uuid, self._context = _submitted(template, context, config)
        self._specs = SpecCache(config.steps.max_batches)
        self._specs.add(_TEMPLATE_ID, canonical_json(template))
        self._inflight = InflightTable()
        self._dispatcher = Dispatcher(self._inflight, self._specs, config.ring.max_payload_bytes)
        self._rows = Rows(template)
        self._ready: deque[Row] = deque()
        self._clock = 0.0
        self._submitted_at = datetime.now(UTC)
        self._events: list[PublishedEvent] = []

    def to_its_end(self) -> InlineTask:
        self._enqueue(self._rows.roots())
        while True:
            while self._ready:
                row = self._ready.popleft()
                if row.state == StepState.ENQUEUED:  # fail_fast may have ended it
                    self._attempt(row)
            waiting = [row for row in self._rows.all if row.state == StepState.WAITING_FOR_RETRY]
            if not waiting:
                return self._task()
            self._clock = min(row.due_at or 0.0 for row in waiting)
            due = [row for row in waiting if (row.due_at or 0.0) <= self._clock]
            self._enqueue(sorted(due, key=lambda row: row.step_no))

    def _enqueue(self, rows: list[Row]) -> None:
        for row in rows:
            row.become(StepState.ENQUEUED)
            row.enqueued_at, row.due_at = self._clock, None
        self._ready.extend(rows)

    def _attempt(self, row: Row) -> None:
        """One attempt, over all its checkpoints."""
        row.become(StepState.IN_PROGRESS)
        row.attempts += 1
        row.claimed_at = self._clock
        for _ in range(_MOST_CHECKPOINTS):
            settled = self._fate(row)
            if settled.state != StepState.IN_PROGRESS:
                self._commit(row, settled)
                return
            row.checkpoint = settled.payload
        raise EngineError(f"step {row.name} has yielded {_MOST_CHECKPOINTS} times in one attempt")

    def _fate(self, row: Row) -> Settled:
        claimed = ClaimedStep(
            task=self._uuid.bytes,
            step_no=row.step_no,
            event_id=os.urandom(16),
            template_id=_TEMPLATE_ID,
            name=row.name,
            attempt=row.attempts,
            crashes=0,
            claim_id=0,
            correlation_id=None,
            context=self._context,
            dependencies=self._rows.dependencies(row),
            extra=row.extra,
        )
        refused = self._dispatcher.accept([claimed])
        settled = refused[0] if refused else self._settled(self._dispatcher.backlog.popleft())
        self._inflight.release([settled.entry])
        return settled

    def _settled(self, entry: Entry) -> Settled:
        self._inflight.settle(entry.event_id)
        outcome = self._worker.run(entry.event_id, entry.payload)
        settled = settle(entry, outcome, jitter=0.0)
        standing = self._rows.standing
        if settled.growth is not None and settled.growth.growths != standing.growths:
            settled = grown(settled, standing)
        return settled

    def _commit(self, row: Row, settled: Settled) -> None:
        row.finished_at = self._clock
        row.metadata = settled.metadata
        if settled.state == StepState.COMPLETE:
            row.result, row.error = settled.payload, None
        else:
            row.error = settled.payload
        if settled.state == StepState.WAITING_FOR_RETRY:
            row.become(StepState.WAITING_FOR_RETRY)
            row.due_at = self._clock + settled.delay
            row.delays = [*row.delays, settled.delay]
        else:
            self._enqueue(self._rows.end(row, StepState(settled.state), settled.growth))
        self._publish(settled)

    # -- what is told -------------------------------------------------------------------------

    def _publish(self, settled: Settled) -> None:
        """Keep the events of what is committed; of a failure that no worker has decided on, too."""
        if settled.events is None:
            now = self._at(self._clock).timestamp()
            settled.events = default_events(settled, FIRED_BY, now)
        self._events += [_event(event, settled, i) for i, event in enumerate(settled.events)]

    def _task(self) -> InlineTask:
        claimed = [row.claimed_at for row in self._rows.all if row.claimed_at is not None]
        return InlineTask(
            uuid=self._uuid,
            namespace=self._template.namespace_name,
            name=self._template.name,
            version=self._template.version,
            state=self._rows.task_state,
            priority=0,
            created_at=self._submitted_at,
            started_at=self._at(min(claimed)),
            completed_at=self._at(self._clock),
            correlation_id=self._uuid,
            initiator=None,
            reason=None,
            tags=[],
            context=msgspec.json.decode(self._context),
            steps=[self._step(row) for row in self._rows.all],
            events=self._events,
            waited_seconds=self._clock,
        )

    def _step(self, row: Row) -> InlineStep:
        return InlineStep(
            uuid=step_uuid(self._uuid, row.step_no),
            step_no=row.step_no,
            name=row.name,
            state=row.state,
            attempts=row.attempts,
            waiting_on=row.waiting_on,
            children=row.children,
            owner=None,
            enqueued_at=self._at_or_none(row.enqueued_at),
            claimed_at=self._at_or_none(row.claimed_at),
            finished_at=self._at_or_none(row.finished_at),
            due_at=self._at_or_none(row.due_at),
            result=None if row.result is None else msgspec.json.decode(row.result),
            metadata=msgspec.json.decode(row.metadata),
            error=None if row.error is None else msgspec.json.decode(row.error),
            delays=row.delays,
        )

    def _at(self, seconds: float) -> datetime:
        return self._submitted_at + timedelta(seconds=seconds)

    def _at_or_none(self, seconds: float | None) -> datetime | None:
        return None if seconds is None else self._at(seconds)


def _submitted(
    template: Template, context: Mapping[str, Any], config: Config
) -> tuple[UUID, bytes]:
    """The new task's UUID, and its context as it would be stored."""
    catalog = Catalog()
    catalog.add(_TEMPLATE_ID, template)
    one = Submission(
        namespace=template.namespace_name,
        name=template.name,
        version=template.version,
        context=context,
    )
    parameters = submit_parameters([one], catalog, config.ring.max_payload_bytes)
    return UUID(parameters["tasks"][1:-1]), parameters["contexts"][1:-1].encode()


def _event(published: Published, settled: Settled, index: int) -> PublishedEvent:
    return PublishedEvent(
        name=published.name,
        step=settled.entry.name,
        delivery_mode=published.delivery_mode,
        payload=msgspec.json.decode(published.payload),
        metadata=msgspec.json.decode(published.metadata),
        message=msgspec.json.decode(message_of(published, settled, index)),
    )
