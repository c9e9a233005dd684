"""Which domain events the end of an attempt leads to, and how they are written down; pure."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final, Literal, TypeAlias
from uuid import UUID, uuid5

import msgspec
from msgspec import Raw, Struct

from tasker_mp.domain_events.model import EVENT_VERSION
from tasker_mp.identity import step_uuid
from tasker_mp.inflight import Settled
from tasker_mp.messages import EMPTY_OBJECT, Published, StepError, StepEvent, encode
from tasker_mp.states import StepState
from tasker_mp.template.model import EventCondition, EventPublication, RetryPolicy

Fate: TypeAlias = Literal["success", "retryable_failure", "permanent_failure"]

_CONDITIONS: Final[dict[Fate, frozenset[EventCondition]]] = {
    "success": frozenset({"success", "always"}),
    "retryable_failure": frozenset({"retryable_failure", "failure", "always"}),
    "permanent_failure": frozenset({"permanent_failure", "failure", "always"}),
}

_EVENTS: Final = UUID("5b0f0d6e-6f2b-5d0c-9c0b-7d6b8c1c6a11")
"""The namespace of event ids: made again, the same attempt's event has the same id."""


def fate_of(error: StepError | None, policy: RetryPolicy, attempt: int) -> Fate:
    """How an attempt ends, before anything else is known: as `settle` decides it."""
    if error is None:
        return "success"
    again = error.retryable and policy.retryable and attempt < policy.max_attempts
    return "retryable_failure" if again else "permanent_failure"


def due(declared: Iterable[EventPublication], fate: Fate) -> list[EventPublication]:
    """Those whose condition holds."""
    met = _CONDITIONS[fate]
    return [declaration for declaration in declared if declaration.condition in met]


def is_durable(published: Published) -> bool:
    """Whether it goes to the namespace's queue."""
    return published.delivery_mode != "fast"


def is_fast(published: Published) -> bool:
    """Whether it is told to subscribers."""
    return published.delivery_mode != "durable"


# -- what an event carries --------------------------------------------------------------------


class Origin(Struct, frozen=True):
    """Whose end an event is about; `fired_by` is the supervisor's worker id."""

    task_uuid: str
    step_uuid: str
    step_name: str
    namespace: str
    correlation_id: str
    fired_by: str

    def metadata(self, publisher: str, now: float) -> dict[str, Any]:
        """What every event's metadata says; `now` in seconds since the epoch."""
        return {
            "task_uuid": self.task_uuid,
            "step_uuid": self.step_uuid,
            "step_name": self.step_name,
            "namespace": self.namespace,
            "correlation_id": self.correlation_id,
            "fired_at": datetime.fromtimestamp(now, UTC).isoformat(),
            "fired_by": self.fired_by,
            "publisher": publisher,
        }


def error_payload(error: StepError, attempt: int) -> dict[str, Any]:
    """What an event says of a failure."""
    return {
        "message": error.message,
        "error_type": error.error_type,
        "error_code": error.error_code,
        "retryable": error.retryable,
        "attempt": attempt,
    }


# -- events that no worker has made -----------------------------------------------------------


class _Told(Struct):
    """The part of a stored error that is told."""

    message: str
    error_type: str
    retryable: bool = True
    error_code: str | None = None


class _Correlated(Struct, array_like=True):
    """The beginning of a `StepEvent`, as far as the correlation id."""

    task: str
    step_no: int
    name: str
    attempt: int
    spec: Raw
    context: Raw
    dependencies: Raw
    correlation_id: str | None = None


assert _Correlated.__struct_fields__ == StepEvent.__struct_fields__[:8]
_correlated_decoder = msgspec.json.Decoder(_Correlated)
_told_decoder = msgspec.json.Decoder(_Told)


def default_events(settled: Settled, fired_by: str, now: float) -> list[Published]:
    """The events of a failure that the supervisor has decided on: a timeout, a crash, a result that
    could not be kept. No publisher is asked: their code is in the workers."""
    fate: Fate = (
        "retryable_failure" if settled.state == StepState.WAITING_FOR_RETRY else "permanent_failure"
    )
    declared = settled.entry.step.publishes_events
    if not declared or settled.state not in (StepState.WAITING_FOR_RETRY, StepState.ERROR):
        return []
    told = _told_decoder.decode(settled.payload)
    error = StepError(told.message, told.error_type, told.error_code, told.retryable)
    payload = Raw(encode({"error": error_payload(error, settled.entry.attempt)}))
    metadata = Raw(encode(_origin(settled, fired_by).metadata("default", now)))
    return [Published(d.name, d.delivery_mode, payload, metadata) for d in due(declared, fate)]


def _origin(settled: Settled, fired_by: str) -> Origin:
    entry = settled.entry
    task = UUID(bytes=entry.task)
    return Origin(
        task_uuid=str(task),
        step_uuid=str(step_uuid(task, entry.step_no)),
        step_name=entry.name,
        namespace=entry.pace.namespace,
        correlation_id=_correlated_decoder.decode(entry.payload).correlation_id or str(task),
        fired_by=fired_by,
    )


# -- the message ------------------------------------------------------------------------------


class _ExecutionResult(Struct, omit_defaults=True):
    success: bool
    execution_time_ms: int
    result: Raw | None = None
    error_message: str | None = None
    error_type: str | None = None


class _Message(Struct):
    event_id: str
    event_name: str
    event_version: str
    metadata: Raw
    payload: Raw
    execution_result: _ExecutionResult


def message_of(published: Published, settled: Settled, index: int) -> bytes:
    """The JSON that the queue holds and subscribers get; `index` is the event's place among those
    of its attempt. Made twice, it has the same `event_id`."""
    return encode(
        _Message(
            event_id=str(uuid5(_EVENTS, f"{settled.entry.event_id.hex()}/{index}")),
            event_name=published.name,
            event_version=EVENT_VERSION,
            metadata=published.metadata or EMPTY_OBJECT,
            payload=published.payload,
            execution_result=_execution_result(settled),
        )
    )


def _execution_result(settled: Settled) -> _ExecutionResult:
    milliseconds = settled.run_ns // 1_000_000
    if settled.state == StepState.COMPLETE:
        return _ExecutionResult(True, milliseconds, result=Raw(settled.payload))
    told = _told_decoder.decode(settled.payload)
    return _ExecutionResult(
        False, milliseconds, error_message=told.message, error_type=told.error_type
    )
