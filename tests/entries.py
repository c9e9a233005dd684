"""Claimed steps for tests of what the supervisor does with them."""

from itertools import count
from typing import Any

from tasker_mp.inflight import Entry
from tasker_mp.template.model import HandlerDefinition, RetryPolicy, StepDefinition

_numbers = count(1)


def entry(*, claim_id: int = 1, attempt: int = 1, crashes: int = 0, **retry: Any) -> Entry:
    number = next(_numbers)
    step = StepDefinition("a", HandlerDefinition("handlers.a.A"), retry=RetryPolicy(**retry))
    return Entry(
        event_id=number.to_bytes(16, "big"),
        task=(number << 20).to_bytes(16, "big"),
        step_no=1,
        attempt=attempt,
        claim_id=claim_id,
        name=step.name,
        step=step,
        payload=b"{}",
        claimed_at=0.0,
        crashes=crashes,
    )
