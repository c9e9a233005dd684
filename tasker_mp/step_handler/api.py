"""A handler that asks an HTTP service, as one base class."""

from tasker_mp.handler import StepHandler
from tasker_mp.step_handler.mixins.api import APIMixin
from tasker_mp.step_handler.mixins.api_response import ApiResponse

__all__ = ["ApiHandler", "ApiResponse"]


class ApiHandler(APIMixin, StepHandler):
    """`APIMixin` and `StepHandler` in one."""

    @property
    def capabilities(self) -> list[str]:
        return ["process", *self.api_capabilities]
