"""A step's data under the names of tasker-core's workers, wrapped around plain dicts."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

Data = Mapping[str, Any] | None


@dataclass
class HandlerWrapper:
    """Which code runs the step: `handler_method` is what templates call `method`."""

    callable: str
    initialization: dict[str, Any] = field(default_factory=dict)
    handler_method: str | None = None
    resolver: str | None = None

    @classmethod
    def from_dict(cls, data: Data) -> Self:
        data = data or {}
        return cls(
            callable=data.get("callable", ""),
            initialization=data.get("initialization") or {},
            handler_method=data.get("method"),
            resolver=data.get("resolver"),
        )


@dataclass
class StepDefinitionWrapper:
    """What the template says about the step; `retry` is a dict, `publishes_events` are names."""

    name: str
    description: str
    handler: HandlerWrapper
    dependencies: list[str] = field(default_factory=list)
    retry: dict[str, Any] = field(default_factory=dict)
    timeout_seconds: float | None = 30
    publishes_events: list[str] = field(default_factory=list)

    @classmethod
    def from_dict(cls, data: Data) -> Self:
        data = data or {}
        return cls(
            name=data.get("name", ""),
            description=data.get("description", ""),
            handler=HandlerWrapper.from_dict(data.get("handler")),
            dependencies=list(data.get("dependencies") or ()),
            retry=data.get("retry") or {},
            timeout_seconds=data.get("timeout_seconds", 30),
            publishes_events=list(data.get("publishes_events") or ()),
        )


@dataclass
class DependencyResultsWrapper:
    """The ancestors' results by step name.

    >>> results = DependencyResultsWrapper.from_dict({"square": {"result": 36, "took": 2}})
    >>> results.get_results("square"), results["square"]
    (36, {'result': 36, 'took': 2})
    """

    _results: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, data: Data) -> Self:
        return cls(dict(data or {}))

    def get_result(self, step_name: str) -> Any:
        """The whole result; None where there is none."""
        return self._results.get(step_name)

    def get_results(self, step_name: str) -> Any:
        """The result, of `{"result": x, …}` only x; None where there is none."""
        result = self._results.get(step_name)
        return result["result"] if isinstance(result, dict) and "result" in result else result

    def keys(self) -> list[str]:
        return list(self._results)

    def __getitem__(self, step_name: str) -> Any:
        return self.get_result(step_name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._results)

    def __contains__(self, step_name: object) -> bool:
        return step_name in self._results

    def __len__(self) -> int:
        return len(self._results)


@dataclass
class WorkflowStepWrapper:
    """This step of this task; `attempts` counts the one that is running."""

    workflow_step_uuid: str
    task_uuid: str
    name: str
    named_step_uuid: str | None = None
    retryable: bool = True
    max_attempts: int = 3
    in_process: bool = False
    processed: bool = False
    processed_at: datetime | None = None
    attempts: int = 0
    last_attempted_at: datetime | None = None
    backoff_request_seconds: float = 0
    inputs: dict[str, Any] = field(default_factory=dict)
    results: dict[str, Any] = field(default_factory=dict)
    created_at: datetime | None = None
    updated_at: datetime | None = None
    checkpoint: dict[str, Any] | None = None

    @classmethod
    def from_dict(cls, data: Data) -> Self:
        known = {key: value for key, value in (data or {}).items() if key in cls.__annotations__}
        required: dict[str, Any] = {"workflow_step_uuid": "", "task_uuid": "", "name": ""}
        wrapped = cls(**{**required, **known})
        wrapped.inputs, wrapped.results = wrapped.inputs or {}, wrapped.results or {}
        return wrapped


@dataclass
class TaskWrapper:
    """The task that the step belongs to; `context` is the input it was submitted with."""

    task_uuid: str
    context: dict[str, Any] = field(default_factory=dict)
    namespace_name: str = ""
    task_name: str = ""
    task_version: str = ""
    correlation_id: str | None = None
    parent_correlation_id: str | None = None

    @classmethod
    def from_dict(cls, data: Data) -> Self:
        """From `{"task": {…}, "task_name": …}`, or from one level of the same keys."""
        outer = data or {}
        inner = outer.get("task") or outer
        return cls(
            task_uuid=inner.get("task_uuid", ""),
            context=inner.get("context") or {},
            namespace_name=outer.get("namespace_name") or inner.get("namespace_name", ""),
            task_name=outer.get("task_name") or inner.get("task_name", ""),
            task_version=outer.get("task_version") or inner.get("task_version", ""),
            correlation_id=inner.get("correlation_id"),
            parent_correlation_id=inner.get("parent_correlation_id"),
        )


@dataclass
class TaskSequenceStepWrapper:
    """Everything about one attempt: task, step, the ancestors' results, the definition."""

    task: TaskWrapper
    workflow_step: WorkflowStepWrapper
    dependency_results: DependencyResultsWrapper
    step_definition: StepDefinitionWrapper

    @classmethod
    def from_dict(cls, data: Data) -> Self:
        data = data or {}
        return cls(
            task=TaskWrapper.from_dict(data.get("task")),
            workflow_step=WorkflowStepWrapper.from_dict(data.get("workflow_step")),
            dependency_results=DependencyResultsWrapper.from_dict(data.get("dependency_results")),
            step_definition=StepDefinitionWrapper.from_dict(data.get("step_definition")),
        )

    def get_task_field(self, field_name: str) -> Any:
        """A value of the task's input; None where it has none."""
        return self.task.context.get(field_name)

    def get_dependency_result(self, step_name: str) -> Any:
        """An ancestor's result, of `{"result": x, …}` only x; None where there is none."""
        return self.dependency_results.get_results(step_name)

    def get_results(self, step_name: str) -> Any:
        """The same as `get_dependency_result`."""
        return self.get_dependency_result(step_name)


TaskSequenceStep = TaskSequenceStepWrapper
"""The name in the seeds."""
