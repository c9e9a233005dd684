"""A diamond: one step fans out to two branches, which meet again in n^16."""

from typing import Any

from handlers.arithmetic import product, refs, squared, squared_input, verification
from tasker_mp import StepContext, StepHandler


class DiamondStartHandler(StepHandler):
    """n²"""

    def call(self, context: StepContext) -> dict[str, Any]:
        return squared_input(context, "initial")


class DiamondBranchBHandler(StepHandler):
    """n⁴, on the one side"""

    def call(self, context: StepContext) -> dict[str, Any]:
        return squared(context, "diamond_start", "parallel_branch")


class DiamondBranchCHandler(StepHandler):
    """n⁴, on the other side"""

    def call(self, context: StepContext) -> dict[str, Any]:
        return squared(context, "diamond_start", "parallel_branch")


class DiamondEndHandler(StepHandler):
    """(b·c)², which is n¹⁶"""

    def call(self, context: StepContext) -> dict[str, Any]:
        branches = ("diamond_branch_b", "diamond_branch_c")
        result = product(context, *branches) ** 2
        return {
            "result": result,
            "operation": "multiply_and_square",
            "step_type": "convergence",
            "input_refs": refs(*branches),
            "verification": verification(context, 16, result),
        }
