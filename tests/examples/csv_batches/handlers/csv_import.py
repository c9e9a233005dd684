"""Rows of a file, counted and added up in batches."""

import csv
import os
import signal
from itertools import islice
from pathlib import Path

from tasker_mp.batch_processing import Batchable
from tasker_mp.step_handler import StepHandler
from tasker_mp.step_handler.functional import BatchConfig, batch_analyzer, batch_worker, inputs
from tasker_mp.types import BatchWorkerContext, StepContext, StepHandlerResult


@batch_analyzer("analyze_csv", worker_template="process_csv_batch")
@inputs("file")
def analyze_csv(file):
    with Path(file).open(newline="") as lines:
        rows = sum(1 for _ in csv.DictReader(lines))
    return BatchConfig(total_items=rows, batch_size=100)


@batch_worker("process_csv_batch")
@inputs("file")
def process_csv_batch(file, batch_context: BatchWorkerContext, context: StepContext):
    if batch_context.batch_id == context.get_input("killed_in") and not context.is_retry():
        os.kill(os.getpid(), signal.SIGKILL)
    with Path(file).open(newline="") as lines:
        rows = list(
            islice(csv.DictReader(lines), batch_context.start_cursor, batch_context.end_cursor)
        )
    return {"rows": len(rows), "total": sum(int(row["amount"]) for row in rows)}


class AggregateCsv(StepHandler, Batchable):
    def call(self, context: StepContext) -> StepHandlerResult:
        scenario = self.detect_aggregation_scenario(
            context.dependency_results, "analyze_csv", "process_csv_batch_"
        )
        return self.aggregate_batch_worker_results(
            scenario,
            zero_metrics={"rows": 0, "total": 0},
            aggregation_fn=lambda batches: {
                "rows": sum(batch["rows"] for batch in batches.values()),
                "total": sum(batch["total"] for batch in batches.values()),
            },
        )
