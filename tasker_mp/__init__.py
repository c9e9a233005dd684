"""Durable workflows on one host."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tasker_mp import errors as errors
    from tasker_mp.batch_processing import Batchable as Batchable
    from tasker_mp.batch_processing import BatchAggregationScenario as BatchAggregationScenario
    from tasker_mp.batch_processing import BatchWorkerConfig as BatchWorkerConfig
    from tasker_mp.client import AsyncClient as AsyncClient
    from tasker_mp.client import Client as Client
    from tasker_mp.config import load_config as load_config
    from tasker_mp.context import StepContext as StepContext
    from tasker_mp.decision_point import DecisionPointOutcome as DecisionPointOutcome
    from tasker_mp.decision_point import DecisionType as DecisionType
    from tasker_mp.domain_events import BasePublisher as BasePublisher
    from tasker_mp.domain_events import BaseSubscriber as BaseSubscriber
    from tasker_mp.domain_events import DomainEventMetadata as DomainEventMetadata
    from tasker_mp.domain_events import EventDeclaration as EventDeclaration
    from tasker_mp.domain_events import ExecutionResult as ExecutionResult
    from tasker_mp.domain_events import InProcessDomainEvent as InProcessDomainEvent
    from tasker_mp.domain_events import InProcessDomainEventPoller as InProcessDomainEventPoller
    from tasker_mp.domain_events import PublishContext as PublishContext
    from tasker_mp.domain_events import StepEventContext as StepEventContext
    from tasker_mp.domain_events import StepResult as StepResult
    from tasker_mp.error_classifier import ErrorClassifier as ErrorClassifier
    from tasker_mp.error_classifier import get_classifier as get_classifier
    from tasker_mp.error_classifier import is_permanent as is_permanent
    from tasker_mp.error_classifier import is_retryable as is_retryable
    from tasker_mp.errors import AuthenticationError as AuthenticationError
    from tasker_mp.errors import AuthorizationError as AuthorizationError
    from tasker_mp.errors import BusinessLogicError as BusinessLogicError
    from tasker_mp.errors import ConfigurationError as ConfigurationError
    from tasker_mp.errors import NetworkError as NetworkError
    from tasker_mp.errors import NotFoundError as NotFoundError
    from tasker_mp.errors import PermanentError as PermanentError
    from tasker_mp.errors import RateLimitError as RateLimitError
    from tasker_mp.errors import ResourceContentionError as ResourceContentionError
    from tasker_mp.errors import RetryableError as RetryableError
    from tasker_mp.errors import ServiceUnavailableError as ServiceUnavailableError
    from tasker_mp.errors import TaskerError as TaskerError
    from tasker_mp.errors import TimeoutError as StepTimeoutError
    from tasker_mp.errors import ValidationError as StepValidationError
    from tasker_mp.event_bridge import EventBridge as EventBridge
    from tasker_mp.event_bridge import EventNames as EventNames
    from tasker_mp.execution_result import ResultStatus as ResultStatus
    from tasker_mp.execution_result import StepError as StepError
    from tasker_mp.execution_result import StepExecutionResult as StepExecutionResult
    from tasker_mp.handler import StepHandler as StepHandler
    from tasker_mp.handler import StepHandlerCallResult as StepHandlerCallResult
    from tasker_mp.models import DependencyResultsWrapper as DependencyResultsWrapper
    from tasker_mp.models import HandlerWrapper as HandlerWrapper
    from tasker_mp.models import StepDefinitionWrapper as StepDefinitionWrapper
    from tasker_mp.models import TaskSequenceStepWrapper as TaskSequenceStepWrapper
    from tasker_mp.models import TaskWrapper as TaskWrapper
    from tasker_mp.models import WorkflowStepWrapper as WorkflowStepWrapper
    from tasker_mp.registry import BaseResolver as BaseResolver
    from tasker_mp.registry import ClassLookupResolver as ClassLookupResolver
    from tasker_mp.registry import ExplicitMappingResolver as ExplicitMappingResolver
    from tasker_mp.registry import HandlerDefinition as HandlerDefinition
    from tasker_mp.registry import HandlerRegistry as HandlerRegistry
    from tasker_mp.registry import MethodDispatchWrapper as MethodDispatchWrapper
    from tasker_mp.registry import RegistryResolver as RegistryResolver
    from tasker_mp.registry import ResolutionError as ResolutionError
    from tasker_mp.registry import ResolverChain as ResolverChain
    from tasker_mp.registry import ResolverNotFoundError as ResolverNotFoundError
    from tasker_mp.result import ErrorType as ErrorType
    from tasker_mp.result import StepHandlerResult as StepHandlerResult
    from tasker_mp.step_execution_subscriber import (
        StepExecutionSubscriber as StepExecutionSubscriber,
    )
    from tasker_mp.step_handler import ApiHandler as ApiHandler
    from tasker_mp.step_handler import ApiResponse as ApiResponse
    from tasker_mp.step_handler import DecisionHandler as DecisionHandler
    from tasker_mp.step_log import LogContext as LogContext
    from tasker_mp.step_log import log_debug as log_debug
    from tasker_mp.step_log import log_error as log_error
    from tasker_mp.step_log import log_info as log_info
    from tasker_mp.step_log import log_trace as log_trace
    from tasker_mp.step_log import log_warn as log_warn
    from tasker_mp.system import bootstrap as bootstrap
    from tasker_mp.types import BatchAnalyzerOutcome as BatchAnalyzerOutcome
    from tasker_mp.types import BatchWorkerContext as BatchWorkerContext
    from tasker_mp.types import BatchWorkerOutcome as BatchWorkerOutcome
    from tasker_mp.types import CursorConfig as CursorConfig

# Imported on first use: a handler's author never pays for the client and its database driver.
_NAMES = {
    "tasker_mp.batch_processing": ("BatchAggregationScenario", "BatchWorkerConfig", "Batchable"),
    "tasker_mp.client": ("AsyncClient", "Client"),
    "tasker_mp.config": ("load_config",),
    "tasker_mp.context": ("StepContext",),
    "tasker_mp.decision_point": ("DecisionPointOutcome", "DecisionType"),
    "tasker_mp.domain_events": (
        "BasePublisher",
        "BaseSubscriber",
        "DomainEventMetadata",
        "EventDeclaration",
        "ExecutionResult",
        "InProcessDomainEvent",
        "InProcessDomainEventPoller",
        "PublishContext",
        "StepEventContext",
        "StepResult",
    ),
    "tasker_mp.error_classifier": (
        "ErrorClassifier",
        "get_classifier",
        "is_permanent",
        "is_retryable",
    ),
    "tasker_mp.errors": (
        "AuthenticationError",
        "AuthorizationError",
        "BusinessLogicError",
        "ConfigurationError",
        "NetworkError",
        "NotFoundError",
        "PermanentError",
        "RateLimitError",
        "ResourceContentionError",
        "RetryableError",
        "ServiceUnavailableError",
        "TaskerError",
    ),
    "tasker_mp.event_bridge": ("EventBridge", "EventNames"),
    "tasker_mp.execution_result": ("ResultStatus", "StepError", "StepExecutionResult"),
    "tasker_mp.handler": ("StepHandler", "StepHandlerCallResult"),
    "tasker_mp.models": (
        "DependencyResultsWrapper",
        "HandlerWrapper",
        "StepDefinitionWrapper",
        "TaskSequenceStepWrapper",
        "TaskWrapper",
        "WorkflowStepWrapper",
    ),
    "tasker_mp.registry": (
        "BaseResolver",
        "ClassLookupResolver",
        "ExplicitMappingResolver",
        "HandlerDefinition",
        "HandlerRegistry",
        "MethodDispatchWrapper",
        "RegistryResolver",
        "ResolutionError",
        "ResolverChain",
        "ResolverNotFoundError",
    ),
    "tasker_mp.result": ("ErrorType", "StepHandlerResult"),
    "tasker_mp.step_log": (
        "LogContext",
        "log_debug",
        "log_error",
        "log_info",
        "log_trace",
        "log_warn",
    ),
    "tasker_mp.step_execution_subscriber": ("StepExecutionSubscriber",),
    "tasker_mp.step_handler": ("ApiHandler", "ApiResponse", "DecisionHandler"),
    "tasker_mp.system": ("bootstrap",),
    "tasker_mp.types": (
        "BatchAnalyzerOutcome",
        "BatchWorkerContext",
        "BatchWorkerOutcome",
        "CursorConfig",
    ),
}
_HOMES = {name: (home, name) for home, names in _NAMES.items() for name in names} | {
    # The standard library's words, told from it.
    "StepTimeoutError": ("tasker_mp.errors", "TimeoutError"),
    "StepValidationError": ("tasker_mp.errors", "ValidationError"),
}

__all__ = [
    "ApiHandler",
    "ApiResponse",
    "AsyncClient",
    "AuthenticationError",
    "AuthorizationError",
    "BasePublisher",
    "BaseResolver",
    "BaseSubscriber",
    "BatchAggregationScenario",
    "BatchAnalyzerOutcome",
    "BatchWorkerConfig",
    "BatchWorkerContext",
    "BatchWorkerOutcome",
    "Batchable",
    "BusinessLogicError",
    "ClassLookupResolver",
    "Client",
    "ConfigurationError",
    "CursorConfig",
    "DecisionHandler",
    "DecisionPointOutcome",
    "DecisionType",
    "DependencyResultsWrapper",
    "DomainEventMetadata",
    "ErrorClassifier",
    "ErrorType",
    "EventBridge",
    "EventDeclaration",
    "EventNames",
    "ExecutionResult",
    "ExplicitMappingResolver",
    "HandlerDefinition",
    "HandlerRegistry",
    "HandlerWrapper",
    "InProcessDomainEvent",
    "InProcessDomainEventPoller",
    "LogContext",
    "MethodDispatchWrapper",
    "NetworkError",
    "NotFoundError",
    "PermanentError",
    "PublishContext",
    "RateLimitError",
    "RegistryResolver",
    "ResolutionError",
    "ResolverChain",
    "ResolverNotFoundError",
    "ResourceContentionError",
    "ResultStatus",
    "RetryableError",
    "ServiceUnavailableError",
    "StepContext",
    "StepDefinitionWrapper",
    "StepError",
    "StepEventContext",
    "StepExecutionResult",
    "StepExecutionSubscriber",
    "StepHandler",
    "StepHandlerCallResult",
    "StepHandlerResult",
    "StepResult",
    "StepTimeoutError",
    "StepValidationError",
    "TaskSequenceStepWrapper",
    "TaskWrapper",
    "TaskerError",
    "WorkflowStepWrapper",
    "bootstrap",
    "errors",
    "get_classifier",
    "is_permanent",
    "is_retryable",
    "load_config",
    "log_debug",
    "log_error",
    "log_info",
    "log_trace",
    "log_warn",
]


def __getattr__(name: str) -> Any:
    if name == "errors":
        return import_module("tasker_mp.errors")
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415  slow, and few ask

        return version("tasker-mp")
    if name not in _HOMES:
        raise AttributeError(f"module 'tasker_mp' has no attribute '{name}'")
    home, name_there = _HOMES[name]
    value = getattr(import_module(home), name_there)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})
