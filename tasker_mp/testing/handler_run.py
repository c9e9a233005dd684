"""One handler, run once, as a step of a task that exists for the length of the call."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import Raw

from tasker_mp import outcome as outcomes
from tasker_mp.config import RingConfig
from tasker_mp.errors import UnencodableResultError
from tasker_mp.handler import StepHandler
from tasker_mp.identity import mint_task_uuid
from tasker_mp.messages import (
    NULL,
    StepEvent,
    StepOutcome,
    StepSpec,
    encode,
    encode_result,
)
from tasker_mp.result import StepHandlerResult
from tasker_mp.template.model import HandlerDefinition, StepDefinition
from tasker_mp.testing.handlers import Handler, name_of, registry_of
from tasker_mp.testing.worker import InlineWorker

_NO_CHECKPOINT: dict[str, Any] = {
    "cursor": None,
    "items_processed": 0,
    "accumulated_results": None,
    "history": [],
}


@dataclass(slots=True)
class HandlerOutcome(StepHandlerResult):
    """What the engine records of the attempt: `result` as the next step is given it, after JSON.

    `checkpoint` is where a `checkpoint_yield` goes on from: hand it to the next `run_handler`.
    """

    checkpoint: dict[str, Any] | None = None


def run_handler(
    handler: Handler,
    context: Mapping[str, Any] | None = None,
    *,
    dependencies: Mapping[str, Any] | None = None,
    step_config: Mapping[str, Any] | None = None,
    inputs: Mapping[str, Any] | None = None,
    checkpoint: Mapping[str, Any] | None = None,
    attempt: int = 1,
    method: str = "call",
) -> HandlerOutcome:
    """Run one attempt at a step; whatever the handler returns or raises becomes the outcome.

    `context` is the task's input, `dependencies` the results of earlier steps by name,
    `step_config` the template's `initialization` (an instance keeps its own `config` without it),
    `inputs` what a batch worker is given, `checkpoint` where an earlier run left off, `attempt`
    counts from 1, of 3. `HandlerLoadError` for what is no handler, `UnencodableResultError` for
    what JSON cannot carry.
    """
    name = name_of(handler)
    if step_config is None and isinstance(handler, StepHandler):
        step_config = handler.config
    given = msgspec.json.decode(encode_result(dict(step_config or {})))
    definition = HandlerDefinition(name, method=method, initialization=given)
    step = StepDefinition(name.rpartition(".")[2], definition)
    event = StepEvent(
        task=mint_task_uuid().hex,
        step_no=1,
        name=step.name,
        attempt=attempt,
        spec=Raw(encode(StepSpec("testing", "run_handler", "1.0.0", step))),
        context=encode_result(dict(context or {})),
        dependencies=_stored(dependencies or {}),
        inputs=NULL if inputs is None else encode_result(dict(inputs)),
        checkpoint=NULL if checkpoint is None else encode_result({**_NO_CHECKPOINT, **checkpoint}),
    )
    limit = RingConfig().max_payload_bytes
    registry = registry_of(handlers={name: handler})
    registry.resolve(definition)  # what is no handler is the test's fault, and no failed step
    return _told(InlineWorker(registry, limit).run(os.urandom(16), encode(event)))


def _stored(results: Mapping[str, Any]) -> Raw:
    """As the steps that returned them have them on record."""
    stored = {}
    for name, value in results.items():
        outcome = outcomes.of_value(value, None, RingConfig().max_payload_bytes)
        if outcome.error is not None:
            raise UnencodableResultError(f"dependencies[{name!r}]: {outcome.error.message}")
        stored[name] = outcome.result
    return Raw(encode(stored))


def _told(outcome: StepOutcome) -> HandlerOutcome:
    if (error := outcome.error) is not None:
        return HandlerOutcome(
            is_success=False,
            error_message=error.message,
            error_type=error.error_type,
            error_code=error.error_code,
            retryable=error.retryable,
            metadata=msgspec.json.decode(error.metadata),
            retry_after=error.retry_after,
        )
    return HandlerOutcome(
        is_success=True,
        result=msgspec.json.decode(outcome.result),
        metadata=msgspec.json.decode(outcome.metadata) or {},
        checkpoint=msgspec.json.decode(outcome.checkpoint),
    )
