"""Handlers of the workflow whose steps come to be at run time; copied into a chaos project."""

from typing import Any

from tasker_mp import StepContext, StepHandler
from tasker_mp.batch_processing import Batchable
from tasker_mp.step_handler.mixins import DecisionMixin
from tasker_mp.types import StepHandlerResult


class Begin(StepHandler):
    def call(self, context: StepContext) -> dict[str, Any]:
        return {"result": context.get_input("even_number")}


class Add(StepHandler):
    def call(self, context: StepContext) -> dict[str, Any]:
        return {"result": context.get_dependency_result(self.config["to"]) + self.config["more"]}


class Route(DecisionMixin, StepHandler):
    """Left, right, both, or none."""

    def call(self, context: StepContext) -> StepHandlerResult:
        kind = context.get_input("even_number") // 2 % 4
        if kind == 0:
            return self.skip_branches("a multiple of 8")
        return self.decision_success([["left"], ["right"], ["left", "right"]][kind - 1])


class RouteOn(DecisionMixin, StepHandler):
    """A decision behind a decision: on, or no further."""

    def call(self, context: StepContext) -> StepHandlerResult:
        if context.get_input("even_number") % 3 == 0:
            return self.skip_branches("a multiple of 3")
        return self.decision_success(["deep"])


class Close(StepHandler):
    def call(self, context: StepContext) -> dict[str, Any]:
        found = (context.get_dependency_result(name) for name in ("left", "deep"))
        return {"result": sum(value for value in found if value is not None)}


class Cut(Batchable, StepHandler):
    """Up to four batches of ten; for some, none."""

    def call(self, context: StepContext) -> StepHandlerResult:
        outcome = self.create_batch_outcome(context.get_input("even_number") % 40, 10)
        return self.batch_analyzer_success(outcome, worker_template_name="part")


class Part(Batchable, StepHandler):
    def call(self, context: StepContext) -> StepHandlerResult | dict[str, Any]:
        cursor = context.step_inputs["cursor"]
        return {"result": sum(range(cursor["start_cursor"], cursor["end_cursor"]))}


class Joined(StepHandler):
    def call(self, context: StepContext) -> dict[str, Any]:
        return {"result": sum(context.get_all_dependency_results("part_"))}


class Walk(Batchable, StepHandler):
    """Four runs, by way of three checkpoints."""

    def call(self, context: StepContext) -> StepHandlerResult | dict[str, Any]:
        place = context.checkpoint_cursor or 0
        sums = context.accumulated_results or {"sum": 0}
        if place < 3:
            return self.checkpoint_yield(place + 1, place + 1, {"sum": sums["sum"] + place})
        return {"result": sums["sum"]}
