"""Ends of attempts as a worker and the supervisor have them, for tests without either."""

from typing import Any
from uuid import UUID

from msgspec import Raw

from tasker_mp.context import StepContext
from tasker_mp.inflight import Entry, Pace
from tasker_mp.messages import NULL, StepError, StepEvent, StepOutcome, StepSpec, encode
from tasker_mp.template.model import (
    EventPublication,
    HandlerDefinition,
    RetryPolicy,
    StepDefinition,
)

TASK = UUID("0198c5a0-0000-7000-8000-000000000000")
STEP = UUID("0198c5a0-0000-7000-8000-000000000003")
CORRELATION = "11111111-2222-4333-8444-555555555555"
EVENT_ID = bytes(range(16))


def spec(*events: EventPublication, **keys: Any) -> StepSpec:
    """A step `pay` of the namespace `shop`, tried three times."""
    definition = {"retry": RetryPolicy(max_attempts=3), "publishes_events": events} | keys
    step = StepDefinition("pay", HandlerDefinition("handlers.Pay"), **definition)
    return StepSpec("shop", "order", "1.0.0", step)


def event(of: StepSpec, attempt: int = 1, correlation: str | None = CORRELATION) -> StepEvent:
    return StepEvent(
        task=TASK.hex,
        step_no=3,
        name="pay",
        attempt=attempt,
        spec=Raw(encode(of)),
        context=Raw(b'{"amount":5}'),
        dependencies=Raw(b"{}"),
        correlation_id=correlation,
    )


def context(of: StepSpec, attempt: int = 1) -> StepContext:
    return StepContext.from_event(EVENT_ID, event(of, attempt), of)


def entry(of: StepSpec, attempt: int = 1, correlation: str | None = CORRELATION) -> Entry:
    return Entry(
        event_id=EVENT_ID,
        task=TASK.bytes,
        step_no=3,
        attempt=attempt,
        claim_id=1,
        name="pay",
        step=of.step,
        payload=encode(event(of, attempt, correlation)),
        claimed_at=0.0,
        pace=Pace(0.0, "shop", "order", "pay"),
    )


def success(result: object, metadata: object = None) -> StepOutcome:
    return StepOutcome(
        result=Raw(encode(result)), metadata=NULL if metadata is None else Raw(encode(metadata))
    )


def failure(*, retryable: bool = True, message: str = "card declined") -> StepOutcome:
    return StepOutcome(error=StepError(message, "handler_error", "DECLINED", retryable))
