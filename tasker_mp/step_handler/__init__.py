"""Everything that a handler is made of: the class to extend, its mixins, and the decorators."""

from tasker_mp.handler import StepHandler
from tasker_mp.step_handler import mixins
from tasker_mp.step_handler.api import ApiHandler
from tasker_mp.step_handler.decision import DecisionHandler
from tasker_mp.step_handler.functional import (
    BatchConfig,
    Decision,
    FunctionalHandler,
    HandlerDecorator,
    api_handler,
    batch_analyzer,
    batch_worker,
    decision_handler,
    depends_on,
    inputs,
    step_handler,
)
from tasker_mp.step_handler.mixins import ApiResponse

__all__ = [
    "ApiHandler",
    "ApiResponse",
    "BatchConfig",
    "Decision",
    "DecisionHandler",
    "FunctionalHandler",
    "HandlerDecorator",
    "StepHandler",
    "api_handler",
    "batch_analyzer",
    "batch_worker",
    "decision_handler",
    "depends_on",
    "inputs",
    "mixins",
    "step_handler",
]
