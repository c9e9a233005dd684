"""Runs steps as a worker does, through encoded messages, without a worker."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import msgspec

from tasker_mp.context import StepContext
from tasker_mp.handler import StepHandler, invoke
from tasker_mp.messages import (
    StepEvent,
    StepOutcome,
    StepSpec,
    encode,
    event_decoder,
    outcome_decoder,
    spec_decoder,
)
from tasker_mp.registry import HandlerRegistry
from tasker_mp.template.dag import topological_order
from tasker_mp.template.model import HandlerDefinition, RetryPolicy, StepDefinition, Template

TASK = "0198c0de00007000800000000fe00000"
EVENT_ID = bytes(range(16))
LIMIT = 1 << 20


def run_async(coroutine: Coroutine[Any, Any, object]) -> object:
    with asyncio.Runner() as runner:
        return runner.run(coroutine)


def context_of(
    *,
    context: object = None,
    dependencies: object = None,
    attempt: int = 1,
    step_no: int = 3,
    correlation_id: str | None = None,
    event_id: bytes = EVENT_ID,
    step: StepDefinition | None = None,
    template: Template | None = None,
    inputs: object = None,
    checkpoint: object = None,
    **retry: Any,
) -> StepContext:
    """A context that went through both messages' encodings."""
    if step is None:
        handler = HandlerDefinition("handlers.linear.LinearStep1Handler")
        step = StepDefinition("step_a", handler, retry=RetryPolicy(**retry))
    origin = ("spaces", "flow", "1.2.3")
    if template is not None:
        origin = (template.namespace_name, template.name, template.version)
    event = StepEvent(
        task=TASK,
        step_no=step_no,
        name=step.name,
        attempt=attempt,
        spec=msgspec.Raw(encode(StepSpec(*origin, step))),
        context=msgspec.Raw(encode(context if context is not None else {})),
        dependencies=msgspec.Raw(encode(dependencies or {})),
        correlation_id=correlation_id,
        inputs=None if inputs is None else msgspec.Raw(encode(inputs)),
        checkpoint=None if checkpoint is None else msgspec.Raw(encode(checkpoint)),
    )
    decoded = event_decoder.decode(encode(event))
    return StepContext.from_event(event_id, decoded, spec_decoder.decode(bytes(decoded.spec)))


def run(
    handler: StepHandler,
    context: StepContext | None = None,
    method: str = "call",
    limit: int = LIMIT,
) -> StepOutcome:
    """The outcome as the supervisor decodes it."""
    outcome = invoke(handler, method, context or context_of(), run_async, limit)
    return outcome_decoder.decode(encode(outcome))


def value_of(outcome: StepOutcome) -> Any:
    assert outcome.error is None, outcome.error
    return msgspec.json.decode(outcome.result)


def metadata_of(outcome: StepOutcome) -> dict[str, Any]:
    assert outcome.error is not None
    decoded: dict[str, Any] = msgspec.json.decode(outcome.error.metadata)
    return decoded


def walk(
    template: Template, registry: HandlerRegistry, context: object
) -> tuple[dict[str, Any], StepOutcome]:
    """Run a task's steps in order until one fails: the results by name, and the last outcome."""
    steps = {step.name: step for step in template.steps}
    results: dict[str, Any] = {}
    outcome = StepOutcome()
    for name in topological_order({s.name: s.dependencies for s in template.steps}):
        step = steps[name]
        ancestors = _ancestors(steps, name)
        step_context = context_of(
            context=context,
            dependencies={key: results[key] for key in ancestors},
            step_no=1 + list(steps).index(name),
            step=step,
            template=template,
        )
        outcome = run(registry.resolve(step.handler), step_context, step.handler.method)
        if outcome.error is not None:
            return results, outcome
        results[name] = value_of(outcome)
    return results, outcome


def _ancestors(steps: dict[str, StepDefinition], name: str) -> set[str]:
    found: set[str] = set()
    waiting = list(steps[name].dependencies)
    while waiting:
        parent = waiting.pop()
        if parent not in found:
            found.add(parent)
            waiting.extend(steps[parent].dependencies)
    return found
