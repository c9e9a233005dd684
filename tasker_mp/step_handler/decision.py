"""A handler that decides, as one base class."""

from tasker_mp.handler import StepHandler
from tasker_mp.step_handler.mixins.decision import DecisionMixin


class DecisionHandler(DecisionMixin, StepHandler):
    """`DecisionMixin` and `StepHandler` in one."""

    @property
    def capabilities(self) -> list[str]:
        return ["process", *self.decision_capabilities]
