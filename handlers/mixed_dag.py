"""A mixed DAG: parallel sides that meet in one step, pass by it in two more, and end in n^64."""

from typing import Any

from handlers.arithmetic import product, refs, squared, squared_input, verification
from tasker_mp import StepContext, StepHandler


class DagInitHandler(StepHandler):
    """n²"""

    def call(self, context: StepContext) -> dict[str, Any]:
        return squared_input(context, "initial")


class DagProcessLeftHandler(StepHandler):
    """l = n⁴"""

    def call(self, context: StepContext) -> dict[str, Any]:
        return squared(context, "dag_init", "parallel_branch")


class DagProcessRightHandler(StepHandler):
    """r = n⁴"""

    def call(self, context: StepContext) -> dict[str, Any]:
        return squared(context, "dag_init", "parallel_branch")


class DagValidateHandler(StepHandler):
    """v = (l·r)², which is n¹⁶"""

    def call(self, context: StepContext) -> dict[str, Any]:
        sides = ("dag_process_left", "dag_process_right")
        return {
            "result": product(context, *sides) ** 2,
            "operation": "multiply_and_square",
            "step_type": "convergence",
            "input_refs": refs(*sides),
        }


class DagTransformHandler(StepHandler):
    """t = l², which is n⁸"""

    def call(self, context: StepContext) -> dict[str, Any]:
        return squared(context, "dag_process_left", "intermediate")


class DagAnalyzeHandler(StepHandler):
    """a = r², which is n⁸"""

    def call(self, context: StepContext) -> dict[str, Any]:
        return squared(context, "dag_process_right", "intermediate")


class DagFinalizeHandler(StepHandler):
    """(v·t·a)², which is n⁶⁴"""

    def call(self, context: StepContext) -> dict[str, Any]:
        inputs = ("dag_validate", "dag_transform", "dag_analyze")
        result = product(context, *inputs) ** 2
        return {
            "result": result,
            "operation": "multiply_and_square",
            "step_type": "final",
            "input_refs": refs(*inputs),
            "verification": verification(context, 64, result),
        }
