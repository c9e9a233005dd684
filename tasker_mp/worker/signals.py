"""What happens to the steps of this worker, on its bus: made only where somebody listens."""

from typing import Any

import msgspec

from tasker_mp.context import StepContext
from tasker_mp.errors import PermanentError, RetryableError, TaskerError
from tasker_mp.event_bridge import EventBridge, EventNames
from tasker_mp.messages import NULL, StepError, StepOutcome


class StepSignals:
    """Costs a step two lookups while nobody listens. Listeners run in the time of the step."""

    def __init__(self, bridge: EventBridge) -> None:
        self._bridge = bridge

    def received(self, context: StepContext) -> None:
        """A step is about to run."""
        if self._bridge.wants(EventNames.STEP_EXECUTION_RECEIVED):
            self._bridge.publish(EventNames.STEP_EXECUTION_RECEIVED, context)

    def ended(self, context: StepContext, outcome: StepOutcome) -> None:
        """Its outcome goes to the supervisor."""
        bridge = self._bridge
        if not bridge.listening:
            return
        if outcome.error is not None and bridge.wants(EventNames.HANDLER_ERROR):
            bridge.publish(EventNames.HANDLER_ERROR, context, _exception(outcome.error))
        yields = outcome.checkpoint != NULL
        sent = EventNames.STEP_CHECKPOINT_YIELD if yields else EventNames.STEP_COMPLETION_SENT
        if bridge.wants(sent):
            bridge.publish(
                sent, _checkpoint(context, outcome) if yields else _end(context, outcome)
            )


def _who(context: StepContext) -> dict[str, Any]:
    return {
        "event_id": context.event_id,
        "task_uuid": context.task_uuid,
        "step_uuid": context.step_uuid,
        "step_name": context.workflow_step.name,
        "correlation_id": context.correlation_id,
    }


def _end(context: StepContext, outcome: StepOutcome) -> dict[str, Any]:
    error = outcome.error
    return {
        **_who(context),
        "success": error is None,
        "result": msgspec.json.decode(outcome.result),
        "metadata": msgspec.json.decode(outcome.metadata) or {},
        "execution_time_ms": outcome.run_ns // 1_000_000,
        "error": None if error is None else _error(error),
    }


def _checkpoint(context: StepContext, outcome: StepOutcome) -> dict[str, Any]:
    saved = msgspec.json.decode(outcome.checkpoint)
    keys = ("cursor", "items_processed", "accumulated_results")
    return _who(context) | {key: saved.get(key) for key in keys}


def _error(error: StepError) -> dict[str, Any]:
    return {
        "message": error.message,
        "error_type": error.error_type,
        "error_code": error.error_code,
        "retryable": error.retryable,
    }


def _exception(error: StepError) -> TaskerError:
    """As a handler could have raised it."""
    kind = RetryableError if error.retryable else PermanentError
    metadata = msgspec.json.decode(error.metadata)
    return kind(error.message, error_code=error.error_code, metadata=metadata)
