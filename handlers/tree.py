"""A tree: a root, two branches, four leaves, and one step that multiplies the leaves to n^32."""

from typing import Any

from handlers.arithmetic import product, refs, squared, squared_input, verification
from tasker_mp import StepContext, StepHandler


class TreeRootHandler(StepHandler):
    """n²"""

    def call(self, context: StepContext) -> dict[str, Any]:
        return squared_input(context, "initial")


class TreeBranchLeftHandler(StepHandler):
    """n⁴"""

    def call(self, context: StepContext) -> dict[str, Any]:
        return squared(context, "tree_root", "branch")


class TreeBranchRightHandler(StepHandler):
    """n⁴"""

    def call(self, context: StepContext) -> dict[str, Any]:
        return squared(context, "tree_root", "branch")


class TreeLeafDHandler(StepHandler):
    """n⁸, under the left branch"""

    def call(self, context: StepContext) -> dict[str, Any]:
        return squared(context, "tree_branch_left", "leaf")


class TreeLeafEHandler(StepHandler):
    """n⁸, under the left branch"""

    def call(self, context: StepContext) -> dict[str, Any]:
        return squared(context, "tree_branch_left", "leaf")


class TreeLeafFHandler(StepHandler):
    """n⁸, under the right branch"""

    def call(self, context: StepContext) -> dict[str, Any]:
        return squared(context, "tree_branch_right", "leaf")


class TreeLeafGHandler(StepHandler):
    """n⁸, under the right branch"""

    def call(self, context: StepContext) -> dict[str, Any]:
        return squared(context, "tree_branch_right", "leaf")


class TreeFinalConvergenceHandler(StepHandler):
    """d·e·f·g, which is n³²"""

    def call(self, context: StepContext) -> dict[str, Any]:
        leaves = ("tree_leaf_d", "tree_leaf_e", "tree_leaf_f", "tree_leaf_g")
        result = product(context, *leaves)
        return {
            "result": result,
            "operation": "multiply",
            "step_type": "convergence",
            "input_refs": refs(*leaves),
            "verification": verification(context, 32, result),
        }
