"""A task template as data: what is registered, stored with every task, and sent to workers."""

from hashlib import sha256
from typing import Any, Final, Literal, TypeAlias

import msgspec
from msgspec import Struct

StepType: TypeAlias = Literal[
    "standard", "decision", "deferred_convergence", "batchable", "batch_worker"
]
Backoff: TypeAlias = Literal["exponential", "linear", "fibonacci", "none"]
EventCondition: TypeAlias = Literal[
    "success", "failure", "retryable_failure", "permanent_failure", "always"
]
DeliveryMode: TypeAlias = Literal["durable", "fast", "broadcast"]
FailureStrategy: TypeAlias = Literal["continue_on_failure", "fail_fast", "isolate"]
Concurrency: TypeAlias = Literal["thread"]
StalenessAction: TypeAlias = Literal["dlq", "error", "none"]

DEFAULT_MAX_ATTEMPTS: Final = 3
MAX_ATTEMPTS_LIMIT: Final = 100


class HandlerDefinition(Struct, frozen=True):
    """Which code runs a step: a dotted path or a discovered handler's name, and its settings.

    `concurrency` None means as the handler's class says.
    """

    callable: str
    method: str = "call"
    resolver: str | None = None
    initialization: dict[str, Any] = {}
    concurrency: Concurrency | None = None


class RetryPolicy(Struct, frozen=True):
    """How often a step is tried (`max_attempts` counts the first) and how long between tries."""

    retryable: bool = True
    max_attempts: int = DEFAULT_MAX_ATTEMPTS
    backoff: Backoff = "exponential"
    backoff_base_ms: int = 1000
    max_backoff_ms: int = 30000


class EventPublication(Struct, frozen=True):
    """A domain event that a step publishes when it ends as `condition` says."""

    name: str
    description: str | None = None
    schema: dict[str, Any] | bool | None = None
    condition: EventCondition = "success"
    delivery_mode: DeliveryMode = "durable"
    publisher: str | None = None


class BatchConfig(Struct, frozen=True):
    """How a batchable step cuts its work; `worker_template` names the step that each batch runs."""

    batch_size: int | None = None
    parallelism: int | None = None
    cursor_field: str | None = None
    worker_template: str | None = None
    failure_strategy: FailureStrategy | None = None


class StepDefinition(Struct, frozen=True):
    """One step; `dependencies` are step names, `timeout_seconds` None means the configured one."""

    name: str
    handler: HandlerDefinition
    description: str | None = None
    type: StepType = "standard"
    dependencies: tuple[str, ...] = ()
    timeout_seconds: float | None = None
    retry: RetryPolicy = RetryPolicy()
    publishes_events: tuple[EventPublication, ...] = ()
    batch_config: BatchConfig | None = None
    result_schema: dict[str, Any] | bool | None = None
    system_dependency: str | None = None
    lifecycle: dict[str, Any] = {}


class TaskHandler(Struct, frozen=True):
    callable: str
    initialization: dict[str, Any] = {}


class SystemDependencies(Struct, frozen=True):
    primary: str | None = None
    secondary: tuple[str, ...] = ()


class DomainEvent(Struct, frozen=True):
    name: str
    description: str | None = None
    schema: dict[str, Any] | bool | None = None


class Lifecycle(Struct, frozen=True):
    """How long a task may take, and what becomes of one that is stale; limits in minutes."""

    max_duration_minutes: float | None = None
    max_waiting_for_dependencies_minutes: float | None = None
    max_waiting_for_retry_minutes: float | None = None
    max_steps_in_process_minutes: float | None = None
    staleness_action: StalenessAction | None = None
    auto_fail_on_timeout: bool | None = None
    auto_dlq_on_timeout: bool | None = None


class Template(Struct, frozen=True):
    """A workflow: a DAG of named steps, with the running environment's overrides applied."""

    namespace_name: str
    name: str
    version: str
    steps: tuple[StepDefinition, ...]
    description: str | None = None
    metadata: dict[str, Any] = {}
    task_handler: TaskHandler | None = None
    system_dependencies: SystemDependencies | None = None
    domain_events: tuple[DomainEvent, ...] = ()
    input_schema: dict[str, Any] | bool | None = None
    lifecycle: Lifecycle | None = None

    @property
    def path(self) -> str:
        """`namespace/name`, which every version of the template shares."""
        return f"{self.namespace_name}/{self.name}"

    @property
    def key(self) -> str:
        """`namespace/name@version`."""
        return f"{self.path}@{self.version}"

    @property
    def precedence(self) -> tuple[int, ...]:
        """Sorts versions: 1.10.0 comes after 1.9.0."""
        return tuple(int(part) for part in self.version.split("."))


_canonical_encoder = msgspec.json.Encoder(order="sorted")
_decoder = msgspec.json.Decoder(Template)


def canonical_json(template: Template) -> bytes:
    """The template as JSON with sorted keys and every default written out: equal for equal ones."""
    return _canonical_encoder.encode(template)


def from_json(stored: bytes | str) -> Template:
    """The template whose canonical JSON was stored; `msgspec.ValidationError` if it is not one."""
    return _decoder.decode(stored)


def digest(template: Template) -> bytes:
    """SHA-256 of the canonical JSON, 32 bytes."""
    return sha256(canonical_json(template)).digest()
