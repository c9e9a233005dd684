"""Every type that a handler's author may name, in one place."""

from tasker_mp.batch_processing.aggregation import (
    BatchAggregationResult,
    BatchAggregationScenario,
    aggregate_batch_results,
)
from tasker_mp.batch_processing.cursor import BatchWorkerConfig, CursorConfig, RustCursorConfig
from tasker_mp.batch_processing.outcome import (
    BatchAnalyzerOutcome,
    BatchProcessingOutcome,
    BatchWorkerOutcome,
    CreateBatchesOutcome,
    NoBatchesOutcome,
    create_batches,
    no_batches,
)
from tasker_mp.batch_processing.worker_inputs import (
    BatchMetadata,
    BatchWorkerContext,
    FailureStrategy,
    RustBatchWorkerInputs,
)
from tasker_mp.context import StepContext, TaskView, WorkflowStepView
from tasker_mp.decision_point import DecisionPointOutcome, DecisionType
from tasker_mp.domain_events import DomainEventMetadata, ExecutionResult, InProcessDomainEvent
from tasker_mp.execution_result import ResultStatus, StepError, StepExecutionResult
from tasker_mp.handler import StepHandlerCallResult
from tasker_mp.models import TaskSequenceStep
from tasker_mp.result import ErrorType, StepHandlerResult
from tasker_mp.step_log import LogContext

__all__ = [
    "BatchAggregationResult",
    "BatchAggregationScenario",
    "BatchAnalyzerOutcome",
    "BatchMetadata",
    "BatchProcessingOutcome",
    "BatchWorkerConfig",
    "BatchWorkerContext",
    "BatchWorkerOutcome",
    "CreateBatchesOutcome",
    "CursorConfig",
    "DecisionPointOutcome",
    "DecisionType",
    "DomainEventMetadata",
    "ErrorType",
    "ExecutionResult",
    "FailureStrategy",
    "InProcessDomainEvent",
    "LogContext",
    "NoBatchesOutcome",
    "ResultStatus",
    "RustBatchWorkerInputs",
    "RustCursorConfig",
    "StepContext",
    "StepError",
    "StepExecutionResult",
    "StepHandlerCallResult",
    "StepHandlerResult",
    "TaskSequenceStep",
    "TaskView",
    "WorkflowStepView",
    "aggregate_batch_results",
    "create_batches",
    "no_batches",
]
