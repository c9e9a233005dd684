"""A supervisor without workers: it knows what it holds, and how an attempt is settled."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

import msgspec
from psycopg import AsyncConnection

from tasker_mp.claimed_step import ClaimedStep
from tasker_mp.db.store import Store
from tasker_mp.inflight import Entry, InflightTable, Settled
from tasker_mp.messages import StepError, StepOutcome
from tasker_mp.settle import settle, settle_crash
from tasker_mp.template.model import StepDefinition

from .workflow_task import CRASH_LIMIT, Fate, Key


class Supervisor:
    """Its table of events, and the claims to release with its next finish."""

    def __init__(self, connection: AsyncConnection[Any]) -> None:
        self.store = Store(connection, uuid4())
        self.table = InflightTable()
        self.released: list[int] = []

    @property
    def owner(self) -> UUID:
        return self.store.owner

    def forget(self, entries: Sequence[Entry]) -> None:
        known = [entry for entry in entries if self.table.knows(entry.event_id)]
        for entry in known:
            self.table.settle(entry.event_id)
        self.released += self.table.release(known)


def key_of(step: ClaimedStep | Entry) -> Key:
    return UUID(bytes=step.task), step.name


def events_of(steps: Sequence[ClaimedStep]) -> dict[Key, bytes]:
    found = {key_of(step): step.event_id for step in steps}
    assert len(found) == len(steps), "a step is handed out once"
    return found


def claim_of(steps: Sequence[ClaimedStep]) -> int:
    """The one claim that all of them are in; 0 for none."""
    [claim_id] = {step.claim_id for step in steps} or {0}
    return claim_id


def entry_of(step: ClaimedStep, definition: StepDefinition) -> Entry:
    return Entry.of(step, definition, step.event(b"null"))


def result_of(entry: Entry) -> dict[str, str]:
    return {"by": entry.event_id.hex()}


def settled(entry: Entry, fate: Fate) -> Settled:
    if fate is Fate.CRASH:
        return settle_crash(entry, 1, "SIGSEGV", CRASH_LIMIT)
    if fate is Fate.COMPLETE:
        outcome = StepOutcome(result=msgspec.Raw(msgspec.json.encode(result_of(entry))))
    else:
        retryable = fate is Fate.RETRYABLE
        outcome = StepOutcome(error=StepError("no", "handler_error", retryable=retryable))
    return settle(entry, outcome, 0.0)
