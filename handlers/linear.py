"""A chain: three steps square, one after the other, and the fourth verifies n^8."""

from typing import Any

from handlers.arithmetic import number_from, refs, squared, squared_input, verification
from tasker_mp import StepContext, StepHandler


class LinearStep1Handler(StepHandler):
    """n²"""

    def call(self, context: StepContext) -> dict[str, Any]:
        return squared_input(context, "initial")


class LinearStep2Handler(StepHandler):
    """n⁴"""

    def call(self, context: StepContext) -> dict[str, Any]:
        return squared(context, "linear_step_1", "intermediate")


class LinearStep3Handler(StepHandler):
    """n⁸"""

    def call(self, context: StepContext) -> dict[str, Any]:
        return squared(context, "linear_step_2", "intermediate")


class LinearStep4Handler(StepHandler):
    """Verifies n⁸ and hands it on."""

    def call(self, context: StepContext) -> dict[str, Any]:
        result = number_from(context, "linear_step_3")
        return {
            "result": result,
            "operation": "verify",
            "step_type": "final",
            "input_refs": refs("linear_step_3"),
            "verification": verification(context, 8, result),
        }
