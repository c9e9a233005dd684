"""What a domain event is made of: as a template declares it, a publisher sees it, a subscriber
gets it."""

from dataclasses import dataclass, field
from typing import Any, Literal, Self

import msgspec

from tasker_mp.context import StepContext
from tasker_mp.record import Record

EVENT_VERSION = "1.0"
"""Of the envelope: what a consumer finds beside the payload."""


@dataclass(kw_only=True)
class EventDeclaration(Record):
    """An entry of a step's `publishes_events`; without a condition it is `success`, without a
    delivery mode `durable`."""

    name: str
    condition: (
        Literal["success", "failure", "retryable_failure", "permanent_failure", "always"] | None
    ) = None
    delivery_mode: Literal["durable", "fast", "broadcast"] | None = None
    publisher: str | None = None
    schema: dict[str, Any] | bool | None = None


@dataclass(kw_only=True)
class StepResult(Record):
    """What came of a step, as much as a publisher needs of it."""

    success: bool
    result: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None


@dataclass(kw_only=True)
class StepEventContext(Record):
    """The end of a step's attempt, from which a publisher makes an event.

    `result` is that of a success; of a failure it is None, and `error` has `message`, `error_type`,
    `error_code`, `retryable` and `attempt`. `metadata` is what the handler returned beside its
    result.
    """

    task_uuid: str
    step_uuid: str
    step_name: str
    namespace: str
    correlation_id: str
    result: dict[str, Any] | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    error: dict[str, Any] | None = None

    @classmethod
    def from_step_context(
        cls,
        step_context: StepContext,
        result: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> Self:
        """That of a step that ends with `result`."""
        return cls(
            task_uuid=str(step_context.task_uuid),
            step_uuid=str(step_context.step_uuid),
            step_name=step_context.workflow_step.name,
            namespace=step_context.task.namespace_name,
            correlation_id=str(step_context.correlation_id),
            result=result,
            metadata=metadata or {},
        )


@dataclass(kw_only=True)
class PublishContext(Record):
    """Everything about one publication in one value."""

    event_name: str
    step_result: StepResult
    event_declaration: EventDeclaration | None = None
    step_context: StepEventContext | None = None


@dataclass(kw_only=True)
class DomainEventMetadata(Record):
    """Where an event comes from: `fired_at` in ISO 8601, `fired_by` the supervisor's worker id."""

    task_uuid: str
    correlation_id: str
    fired_at: str
    fired_by: str
    step_uuid: str | None = None
    step_name: str | None = None
    namespace: str | None = None


@dataclass(kw_only=True)
class ExecutionResult(Record):
    """What came of the step that an event is about; the time is that in the handler."""

    success: bool
    result: dict[str, Any] | None = None
    error_message: str | None = None
    error_type: str | None = None
    execution_time_ms: int | None = None


@dataclass(kw_only=True)
class InProcessDomainEvent(Record):
    """An event as it is told in the process; `document` is all of its message, with what publishers
    added to the metadata."""

    event_id: str
    event_name: str
    event_version: str
    metadata: DomainEventMetadata
    payload: dict[str, Any] = field(default_factory=dict)
    execution_result: ExecutionResult | None = None
    document: dict[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def from_message(cls, message: bytes) -> Self:
        """`msgspec.DecodeError` or `ValidationError` where it is none."""
        document = msgspec.json.decode(message, type=dict[str, Any])
        event = cls.model_validate(document)
        event.document = document
        return event

    def copy_of_document(self) -> dict[str, Any]:
        """For one subscriber to do with as it likes."""
        copied: dict[str, Any] = msgspec.to_builtins(self.document or self.model_dump())
        return copied
