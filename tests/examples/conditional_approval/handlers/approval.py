"""A request is approved by nobody, by a manager, or by a manager and finance."""

from tasker_mp.step_handler import DecisionHandler, StepHandler
from tasker_mp.types import StepContext, StepHandlerResult


class ValidateRequest(StepHandler):
    def call(self, context: StepContext) -> StepHandlerResult:
        return self.success({"amount": context.get_input("amount")})


class RouteApproval(DecisionHandler):
    def call(self, context: StepContext) -> StepHandlerResult:
        amount = context.get_dependency_field("validate_request", "amount")
        if amount < 0.01:
            return self.skip_branches("nothing to approve")
        if steps := context.get_input("steps"):
            return self.decision_success(steps)
        if amount < self.config["auto_below"]:
            return self.decision_success(["auto_approve"])
        if amount < self.config["manager_below"]:
            return self.decision_success(["manager_approval"])
        return self.decision_success(["manager_approval", "finance_review"], {"amount": amount})


class Approve(StepHandler):
    def call(self, context: StepContext) -> StepHandlerResult:
        return self.success({"approved": True, "by": self.config["by"]})


class FinalizeApproval(StepHandler):
    def call(self, context: StepContext) -> StepHandlerResult:
        names = ("auto_approve", "manager_approval", "finance_review")
        approvals = [a for name in names if (a := context.get_dependency_result(name))]
        return self.success(
            {
                "approved": all(approval["approved"] for approval in approvals),
                "by": [approval["by"] for approval in approvals],
            }
        )
