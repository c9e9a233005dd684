"""One attempt's data in the shape of tasker-core's workers: task, step, results, definition."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from tasker_mp.context import StepContext


@dataclass(frozen=True)
class EventView:
    """The event of one attempt; `task_sequence_step` holds everything about it, as plain dicts."""

    event_id: str
    task_uuid: str
    step_uuid: str
    correlation_id: str
    trace_id: str
    span_id: str
    task_sequence_step: dict[str, Any]
    task_correlation_id: str | None = None
    parent_correlation_id: str | None = None


def sequence_step(context: "StepContext") -> dict[str, Any]:
    """What `TaskSequenceStepWrapper.from_dict` reads; input and results are the context's own."""
    return {
        "task": _task(context),
        "workflow_step": _workflow_step(context),
        "dependency_results": context.dependency_results,
        "step_definition": _definition(context),
    }


def _task(context: "StepContext") -> dict[str, Any]:
    task = context.task
    return {
        "task": {
            "task_uuid": task.task_uuid,
            "context": task.context,
            "correlation_id": task.correlation_id,
        },
        "namespace_name": task.namespace_name,
        "task_name": task.name,
        "task_version": task.version,
    }


def _workflow_step(context: "StepContext") -> dict[str, Any]:
    step = context.workflow_step
    return {
        "workflow_step_uuid": step.workflow_step_uuid,
        "task_uuid": context.task_uuid,
        "name": step.name,
        "retryable": step.retryable,
        "attempts": step.attempts,
        "max_attempts": step.max_attempts,
        "in_process": True,
        "processed": False,
        "inputs": context.step_inputs,
        "checkpoint": context.checkpoint,
    }


def _definition(context: "StepContext") -> dict[str, Any]:
    definition: dict[str, Any] = msgspec.to_builtins(context.step_definition)
    definition["description"] = definition["description"] or ""
    definition["publishes_events"] = [event["name"] for event in definition["publishes_events"]]
    # Its own copy: the definition is shared between attempts.
    definition["handler"]["initialization"] = context.step_config
    return definition
