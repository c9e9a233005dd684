"""What a worker makes of an outcome before it is sent: checked against the template's schemas, with
the domain events that follow from it."""

import logging
import re
import time
from collections.abc import Iterator
from typing import Final, NamedTuple

import msgspec
from msgspec import Raw

from tasker_mp import outcome as outcomes
from tasker_mp.context import StepContext
from tasker_mp.domain_events.model import StepEventContext
from tasker_mp.domain_events.publisher import BasePublisher, PreparedEvent
from tasker_mp.domain_events.publisher_registry import PublisherRegistry
from tasker_mp.errors import UnencodableResultError
from tasker_mp.messages import (
    EMPTY_OBJECT,
    NULL,
    Published,
    StepOutcome,
    StepSpec,
    encode,
    encode_result,
)
from tasker_mp.nearest import suggestion
from tasker_mp.publication import Origin, due, error_payload, fate_of, is_durable
from tasker_mp.result import ErrorType, StepHandlerResult
from tasker_mp.schema_check import SchemaCheck
from tasker_mp.template.model import EventPublication

log = logging.getLogger("tasker_mp.domain_events")

_SPECS_KEPT: Final = 10_000
_OUTCOME_BYTES: Final = 1024
"""What an outcome and its events add to what is in them, with room to spare."""

_NUL: Final = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
"""The one character that the queue's jsonb cannot hold; an even number of backslashes before."""


class _Checks(NamedTuple):
    """A spec's compiled schemas; those of events by the id of their declaration. The spec is kept,
    so that ids stay what they are."""

    spec: StepSpec
    result: SchemaCheck | None
    events: dict[int, SchemaCheck]


class _Event(NamedTuple):
    """An event as it would be sent, or what is wrong with it; `prepared` by another publisher than
    the default one."""

    declaration: EventPublication
    payload: Raw
    metadata: Raw
    publisher: BasePublisher
    prepared: PreparedEvent | None = None
    fault: str | None = None

    def published(self) -> Published:
        mode = self.declaration.delivery_mode
        return Published(self.declaration.name, mode, self.payload, self.metadata)


class _End(NamedTuple):
    """The end of an attempt, as events tell of it."""

    origin: Origin
    outcome: StepOutcome
    attempt: int


class Publications:
    """The publishers and schemas of a worker.

    `fired_by` is what events say of who made them; `max_payload_bytes` holds for an outcome
    together with its events.
    """

    def __init__(
        self, fired_by: str, max_payload_bytes: int, publishers: PublisherRegistry | None = None
    ) -> None:
        self._fired_by = fired_by
        self._max_payload = max_payload_bytes
        self._publishers = publishers or PublisherRegistry.instance()
        self._checks: dict[int, _Checks] = {}
        self._warned: set[str] = set()

    def settle(self, context: StepContext, spec: StepSpec, outcome: StepOutcome) -> StepOutcome:
        """`outcome` with its events; or a permanent failure with its own, where the result or an
        event is not what the template says. A checkpoint is no end, and has none."""
        step = spec.step
        if not step.publishes_events and step.result_schema is None:
            return outcome
        if outcome.checkpoint != NULL:
            return outcome
        checks = self._checks_of(spec)
        if checks.result is not None and outcome.error is None:
            breach = checks.result.breach(outcome.result, "result")
            if breach is not None:
                message = f"the result does not fit the step's result_schema: {breach}"
                outcome = _refusal("INVALID_RESULT_SCHEMA", message, outcome)
        return self._published(context, checks, outcome) if step.publishes_events else outcome

    def events_of(
        self, context: StepContext, spec: StepSpec, outcome: StepOutcome
    ) -> list[Published]:
        """The events that `outcome` leads to as it stands, without those that break a rule."""
        events = self._events_of(context, self._checks_of(spec), outcome)
        return [event.published() for event in events if event.fault is None]

    def _published(
        self, context: StepContext, checks: _Checks, outcome: StepOutcome
    ) -> StepOutcome:
        """With its events; those of a failure where one of them breaks a rule."""
        events = self._events_of(context, checks, outcome)
        fault = next((event.fault for event in events if event.fault is not None), None)
        if fault is not None:
            outcome = _refusal("INVALID_EVENT", fault, outcome)
            events = self._events_of(context, checks, outcome)
        for event in events:
            if event.fault is not None:
                log.warning("left out: %s", event.fault)
                continue
            outcome.events.append(event.published())
            if event.prepared is not None:
                event.publisher.hand_over(event.declaration.name, event.prepared)
        return outcome

    def _events_of(
        self, context: StepContext, checks: _Checks, outcome: StepOutcome
    ) -> list[_Event]:
        step, attempt = checks.spec.step, context.retry_count + 1
        declared = due(step.publishes_events, fate_of(outcome.error, step.retry, attempt))
        if not declared:
            return []
        end = _End(self._origin(context, checks.spec), outcome, attempt)
        made = [event for d in declared if (event := self._made(d, end)) is not None]
        return list(self._checked(made, checks, outcome))

    def _origin(self, context: StepContext, spec: StepSpec) -> Origin:
        return Origin(
            task_uuid=str(context.task_uuid),
            step_uuid=str(context.step_uuid),
            step_name=context.workflow_step.name,
            namespace=spec.namespace,
            correlation_id=str(context.correlation_id),
            fired_by=self._fired_by,
        )

    # -- making -------------------------------------------------------------------------------

    def _made(self, declaration: EventPublication, end: _End) -> _Event | None:
        """The event, unless its publisher wants none."""
        publisher, name = self._publisher(declaration)
        fixed = end.origin.metadata(name, time.time())
        if publisher is self._publishers.default:
            metadata = Raw(encode({**_metadata(end.outcome), **fixed}))
            return _Event(declaration, _default_payload(end), metadata, publisher)
        prepared = publisher.prepare(_event_context(end), declaration.name, fixed)
        if prepared is None:
            return None
        try:
            payload, metadata = encode_result(prepared.payload), encode_result(prepared.metadata)
        except UnencodableResultError as error:
            fault = f"event '{declaration.name}' cannot be encoded as JSON: {error}"
            return _Event(declaration, EMPTY_OBJECT, EMPTY_OBJECT, publisher, fault=fault)
        return _Event(declaration, payload, metadata, publisher, prepared)

    def _publisher(self, declaration: EventPublication) -> tuple[BasePublisher, str]:
        """With the name by which it is known."""
        name = declaration.publisher
        found = None if name is None else self._publishers.get(name)
        if name is not None and found is not None:
            return found, name
        if name is not None and name not in self._warned:
            self._warned.add(name)
            cure = suggestion(name, self._publishers.list_publishers())
            log.warning("there is no publisher '%s', the default one is used: %s", name, cure)
        return self._publishers.default, "default"

    # -- checking -----------------------------------------------------------------------------

    def _checked(
        self, events: list[_Event], checks: _Checks, outcome: StepOutcome
    ) -> Iterator[_Event]:
        """Each with its fault, if it has one that it does not have already."""
        size = _OUTCOME_BYTES + _size(outcome.result) + _size(outcome.metadata)
        for event in events:
            size += _size(event.payload) + _size(event.metadata)
            fault = event.fault or self._fault(event, checks, size, outcome)
            yield event._replace(fault=fault)

    def _fault(self, event: _Event, checks: _Checks, size: int, outcome: StepOutcome) -> str | None:
        name = event.declaration.name
        if size > self._max_payload:
            return (
                f"event '{name}' makes the outcome {size} bytes, above the limit of "
                f"{self._max_payload}: publish a reference to large data"
            )
        if is_durable(event.published()) and any(
            b"\\u0000" in raw and _NUL.search(raw)
            for raw in map(bytes, (event.payload, event.metadata, outcome.result))
        ):
            return f"event '{name}' has a NUL character in it, which its queue cannot hold"
        check = checks.events.get(id(event.declaration))
        breach = check.breach(event.payload, "payload") if check is not None else None
        return f"event '{name}' does not fit its schema: {breach}" if breach is not None else None

    def _checks_of(self, spec: StepSpec) -> _Checks:
        """Compiled once for each spec that the worker keeps."""
        checks = self._checks.get(id(spec))
        if checks is None:
            if len(self._checks) >= _SPECS_KEPT:
                self._checks.clear()
            step = spec.step
            checks = self._checks[id(spec)] = _Checks(
                spec,
                None if step.result_schema is None else SchemaCheck(step.result_schema),
                {
                    id(d): SchemaCheck(d.schema)
                    for d in step.publishes_events
                    if d.schema is not None
                },
            )
        return checks


def _event_context(end: _End) -> StepEventContext:
    """One for each event: a publisher may change what it is given."""
    origin, outcome = end.origin, end.outcome
    failed = outcome.error is not None
    return StepEventContext(
        task_uuid=origin.task_uuid,
        step_uuid=origin.step_uuid,
        step_name=origin.step_name,
        namespace=origin.namespace,
        correlation_id=origin.correlation_id,
        result=None if failed else msgspec.json.decode(outcome.result),
        metadata=_metadata(outcome),
        error=None if outcome.error is None else error_payload(outcome.error, end.attempt),
    )


def _default_payload(end: _End) -> Raw:
    """As `DefaultPublisher` makes it, without a detour."""
    outcome = end.outcome
    if outcome.error is not None:
        return Raw(encode({"error": error_payload(outcome.error, end.attempt)}))
    return EMPTY_OBJECT if outcome.result == NULL else outcome.result


def _metadata(outcome: StepOutcome) -> dict[str, object]:
    """What the handler returned beside its result."""
    return msgspec.json.decode(outcome.metadata) or {}


def _size(encoded: Raw) -> int:
    return memoryview(encoded).nbytes


def _refusal(code: str, message: str, outcome: StepOutcome) -> StepOutcome:
    """A permanent failure in place of `outcome`; of a failure it keeps what was wrong before."""
    details: dict[str, object] = {}
    if (cause := outcome.error) is not None:
        message = f"{message}; before that the step failed: {cause.message}"
        details["cause"] = {**msgspec.json.decode(cause.metadata), "error_type": cause.error_type}
    failure = StepHandlerResult.failure(
        message, ErrorType.PERMANENT_ERROR, retryable=False, metadata=details, error_code=code
    )
    refused = outcomes.of_result(failure, 0)
    refused.run_ns, refused.ended_ns = outcome.run_ns, outcome.ended_ns
    return refused
