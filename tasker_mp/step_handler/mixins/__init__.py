"""What a handler may be able to do besides: decide, and ask HTTP services."""

from tasker_mp.step_handler.mixins.api import APIMixin
from tasker_mp.step_handler.mixins.api_response import ApiResponse
from tasker_mp.step_handler.mixins.decision import DecisionMixin

__all__ = ["APIMixin", "ApiResponse", "DecisionMixin"]
