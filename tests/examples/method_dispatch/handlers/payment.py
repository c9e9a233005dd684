"""A payment, from the authorization to the receipt."""

from tasker_mp import StepContext, StepHandler, StepHandlerResult


class Payment(StepHandler):
    handler_name = "payment"

    def authorize(self, context: StepContext) -> StepHandlerResult:
        amount = context.get_input("amount")
        return self.success({"authorized": amount, "currency": self.config["currency"]})

    def capture(self, context: StepContext) -> StepHandlerResult:
        return self.success({"captured": context.get_dependency_field("authorize", "authorized")})

    def call(self, context: StepContext) -> StepHandlerResult:
        captured = context.get_dependency_field("capture", "captured")
        return self.success({"text": f"{captured} {self.config['currency']} received"})
