"""What a handler is given: the task's input, the results of earlier steps, its settings."""

from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import msgspec

from tasker_mp.identity import step_uuid_text, with_hyphens
from tasker_mp.messages import StepEvent, StepSpec
from tasker_mp.models import TaskSequenceStepWrapper
from tasker_mp.sequence_step import EventView, sequence_step
from tasker_mp.template.model import StepDefinition
from tasker_mp.trace_context import parse_traceparent, step_span_id, trace_id_of, traceparent

_UUID_BYTES = 16


@dataclass(frozen=True, slots=True)
class TaskView:
    """The task that the step belongs to; `context` is the input it was submitted with."""

    task_uuid: str
    namespace_name: str
    name: str
    version: str
    context: dict[str, Any]
    correlation_id: str


@dataclass(frozen=True, slots=True)
class WorkflowStepView:
    """This step of this task; `attempts` counts the one that is running."""

    workflow_step_uuid: str
    name: str
    attempts: int
    max_attempts: int
    retryable: bool


class StepContext:
    """One attempt at one step. UUIDs are hyphenated strings; JSON integers of any size are exact.

    Everything is decoded on first use, and belongs to this attempt: a handler may change it.
    """

    def __init__(self, event_id: bytes, event: StepEvent, spec: StepSpec) -> None:
        self._event_id = event_id
        self._event = event
        self._spec = spec

    @classmethod
    def from_event(cls, event_id: bytes, event: StepEvent, spec: StepSpec) -> "StepContext":
        """The context of `event`, whose `spec` was decoded before (once per template step)."""
        return cls(event_id, event, spec)

    # -- Who and where ----------------------------------------------------------------------------

    @cached_property
    def task_uuid(self) -> str:
        return with_hyphens(self._event.task)

    @cached_property
    def step_uuid(self) -> str:
        """The same in every attempt: the idempotency key for side effects."""
        return step_uuid_text(self._event.task, self._event.step_no)

    @property
    def correlation_id(self) -> str:
        """What the submitter named, or else the task's UUID."""
        return self._event.correlation_id or self.task_uuid

    @property
    def event_id(self) -> str:
        """Different in every attempt."""
        if len(self._event_id) == _UUID_BYTES:
            return with_hyphens(self._event_id.hex())
        return self._event_id.hex()

    @property
    def trace_id(self) -> str:
        """32 hex digits, as W3C Trace Context has them: that of the `traceparent` that the task
        was submitted with, or else its own; the same for all steps of a task."""
        return trace_id_of(self._event.task, self._event.traceparent)

    @property
    def span_id(self) -> str:
        """16 hex digits, as W3C Trace Context has them: different in every attempt."""
        return step_span_id(self._event_id)

    @property
    def traceparent(self) -> str:
        """The header that makes what this attempt asks of others a part of its trace: for HTTP
        requests, and for tasks that it submits."""
        parent = self._event.traceparent
        sampled = parent is None or parse_traceparent(parent).sampled
        return traceparent(self.trace_id, self.span_id, sampled=sampled)

    @property
    def handler_name(self) -> str:
        """The callable that the template names."""
        return self._spec.step.handler.callable

    @cached_property
    def task(self) -> TaskView:
        return TaskView(
            task_uuid=self.task_uuid,
            namespace_name=self._spec.namespace,
            name=self._spec.template,
            version=self._spec.version,
            context=self.input_data,
            correlation_id=self.correlation_id,
        )

    @cached_property
    def workflow_step(self) -> WorkflowStepView:
        return WorkflowStepView(
            workflow_step_uuid=self.step_uuid,
            name=self._event.name,
            attempts=self._event.attempt,
            max_attempts=self._spec.step.retry.max_attempts,
            retryable=self._spec.step.retry.retryable,
        )

    @property
    def step_definition(self) -> StepDefinition:
        """What the template says about this step; shared between attempts, so read only."""
        return self._spec.step

    @cached_property
    def event(self) -> EventView:
        """The event as tasker-core's Python worker shows it: the step's data as plain dicts."""
        return EventView(
            event_id=self.event_id,
            task_uuid=self.task_uuid,
            step_uuid=self.step_uuid,
            correlation_id=self.correlation_id,
            trace_id=self.trace_id,
            span_id=self.span_id,
            task_sequence_step=sequence_step(self),
        )

    @cached_property
    def task_sequence_step(self) -> TaskSequenceStepWrapper:
        """Task, step, results and definition in one, as tasker-core's workers name them."""
        return TaskSequenceStepWrapper.from_dict(self.event.task_sequence_step)

    # -- The task's input -------------------------------------------------------------------------

    @cached_property
    def input_data(self) -> dict[str, Any]:
        """The context that the task was submitted with."""
        decoded: dict[str, Any] = msgspec.json.decode(self._event.context)
        return decoded

    def get_input(self, key: str) -> Any:
        """A value of the task's input; None where it has none."""
        return self.input_data.get(key)

    def get_input_or(self, key: str, default: Any = None) -> Any:
        """A value of the task's input; `default` where it is missing or null."""
        value = self.input_data.get(key)
        return default if value is None else value

    def get_task_field(self, key: str) -> Any:
        """The same as `get_input`."""
        return self.get_input(key)

    # -- The step's settings ----------------------------------------------------------------------

    @cached_property
    def step_config(self) -> dict[str, Any]:
        """The `initialization` of the step's handler, a copy for this attempt."""
        return deepcopy(self._spec.step.handler.initialization)

    @cached_property
    def step_inputs(self) -> dict[str, Any]:
        """What was given to this step alone, such as a batch worker's cursor; empty for a standard
        step."""
        inputs = self._event.inputs
        decoded: dict[str, Any] | None = None if inputs is None else msgspec.json.decode(inputs)
        return decoded or {}

    def get_config(self, key: str) -> Any:
        """A value of `step_config`; None where it has none."""
        return self.step_config.get(key)

    # -- Results of earlier steps -----------------------------------------------------------------

    @cached_property
    def dependency_results(self) -> dict[str, Any]:
        """The results of all finished ancestors, by step name."""
        decoded: dict[str, Any] = msgspec.json.decode(self._event.dependencies)
        return decoded

    def get_dependency_result(self, step_name: str) -> Any:
        """An ancestor's result, of `{"result": x, …}` only x; None where there is none."""
        return _unwrapped(self.dependency_results.get(step_name))

    def get_results(self, step_name: str) -> Any:
        """The same as `get_dependency_result`."""
        return self.get_dependency_result(step_name)

    def get_dependency_field(self, step_name: str, *path: str | int) -> Any:
        """The value at `path` (keys, and positions in lists) of an ancestor's result, or None.

        The path starts inside `"result"`, where the result has one and the path is there; else
        at the top.
        """
        whole = self.dependency_results.get(step_name)
        found = _at(_unwrapped(whole), path)
        return _at(whole, path) if found is None else found

    def get_dependency_result_keys(self) -> list[str]:
        """The names of the ancestors that have results."""
        return list(self.dependency_results)

    def get_all_dependency_results(self, prefix: str) -> list[Any]:
        """The unwrapped results, those that are not null, of the ancestors whose names start with
        `prefix`."""
        unwrapped = (
            _unwrapped(result)
            for name, result in self.dependency_results.items()
            if name.startswith(prefix)
        )
        return [result for result in unwrapped if result is not None]

    # -- Where an earlier run left off -------------------------------------------------------------

    @property
    def stored_checkpoint(self) -> bytes | None:
        """`checkpoint` as JSON."""
        saved = bytes(self._event.checkpoint)
        return None if saved == b"null" else saved

    @cached_property
    def checkpoint(self) -> dict[str, Any] | None:
        """What the last `checkpoint_yield` of this step saved: `cursor`, `items_processed`,
        `accumulated_results`, and the `history` of those before; None without one."""
        decoded: dict[str, Any] | None = msgspec.json.decode(self._event.checkpoint)
        return decoded

    @property
    def checkpoint_cursor(self) -> Any:
        """Where to go on: what `checkpoint_yield` was given; None without a checkpoint."""
        return (self.checkpoint or {}).get("cursor")

    @property
    def checkpoint_items_processed(self) -> int:
        """How many items all earlier runs have done; 0 without a checkpoint."""
        return (self.checkpoint or {}).get("items_processed") or 0

    @property
    def accumulated_results(self) -> dict[str, Any] | None:
        """What the earlier runs handed on; None where they handed on nothing."""
        return (self.checkpoint or {}).get("accumulated_results")

    def has_checkpoint(self) -> bool:
        """Whether there is a cursor to go on from."""
        return self.checkpoint_cursor is not None

    # -- Attempts ---------------------------------------------------------------------------------

    @property
    def retry_count(self) -> int:
        """How many attempts came before this one: 0 on the first."""
        return self._event.attempt - 1

    @property
    def max_retries(self) -> int:
        """How many attempts the template allows after the first."""
        retry = self._spec.step.retry
        return retry.max_attempts - 1 if retry.retryable else 0

    def is_retry(self) -> bool:
        return self.retry_count > 0

    def is_last_retry(self) -> bool:
        """Whether no attempt follows this one, however it ends."""
        return self.retry_count >= self.max_retries


def _unwrapped(result: Any) -> Any:
    if isinstance(result, dict) and "result" in result:
        return result["result"]
    return result


def _at(value: Any, path: tuple[str | int, ...]) -> Any:
    for key in path:
        if isinstance(value, dict):
            value = value.get(key)
        elif isinstance(value, list) and isinstance(key, int) and -len(value) <= key < len(value):
            value = value[key]
        else:
            return None
    return value
