"""An export of many items, ten at a time."""

import os
import signal
from pathlib import Path

from tasker_mp.batch_processing import Batchable
from tasker_mp.step_handler import StepHandler
from tasker_mp.types import StepContext, StepHandlerResult


class Export(StepHandler, Batchable):
    def call(self, context: StepContext) -> StepHandlerResult:
        total = context.get_input("items")
        start = context.checkpoint_cursor or 0
        exported = context.accumulated_results or {"sum": 0}
        end = min(start + self.config["chunk"], total)
        for item in range(start, end):
            if item == context.get_input("crash_at") and not context.is_retry():
                os.kill(os.getpid(), signal.SIGSEGV)
            exported["sum"] += item
        with Path(context.get_input("ledger")).open("a") as ledger:
            ledger.write(f"{start}-{end}\n")
        if end < total:
            padding = {"padding": "x" * context.get_input_or("padding", 0)}
            return self.checkpoint_yield(end, end, exported | padding)
        return self.success({"sum": exported["sum"], "kept": context.checkpoint})


class Report(StepHandler):
    def call(self, context: StepContext) -> StepHandlerResult:
        return self.success({"sum": context.get_dependency_field("export", "sum")})
