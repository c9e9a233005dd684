"""How a convergence step adds the workers' results up."""

from collections.abc import Callable
from typing import Any

from tasker_mp.batch_processing.aggregation import (
    BatchAggregationScenario,
    aggregate_batch_results,
)
from tasker_mp.mixed_in import Results
from tasker_mp.result import StepHandlerResult


class Aggregator(Results):
    def detect_aggregation_scenario(
        self,
        dependency_results: dict[str, Any],
        batchable_step_name: str,
        batch_worker_prefix: str,
    ) -> BatchAggregationScenario:
        """The analyzer's result and the workers'; `ValueError` where they are not there."""
        return BatchAggregationScenario.detect(
            dependency_results, batchable_step_name, batch_worker_prefix
        )

    def no_batches_aggregation_result(
        self, zero_metrics: dict[str, Any] | None = None
    ) -> StepHandlerResult:
        """The sum over no batches, which is what the author says it is."""
        return self.success({"worker_count": 0, "scenario": "no_batches", **(zero_metrics or {})})

    def aggregate_batch_worker_results(
        self,
        scenario: BatchAggregationScenario,
        zero_metrics: dict[str, Any] | None = None,
        aggregation_fn: Callable[[dict[str, dict[str, Any]]], dict[str, Any]] | None = None,
    ) -> StepHandlerResult:
        """The sum over the batches: what `aggregation_fn` makes of the workers' results by step
        name, or these results themselves; `zero_metrics` where there were no batches."""
        if scenario.is_no_batches:
            return self.no_batches_aggregation_result(zero_metrics)
        results = scenario.batch_results
        summed = {"batch_results": results} if aggregation_fn is None else aggregation_fn(results)
        return self.success(
            {**summed, "worker_count": scenario.worker_count, "scenario": "with_batches"}
        )

    @staticmethod
    def aggregate_worker_results(worker_results: list[dict[str, Any] | None]) -> dict[str, Any]:
        """Sums of the workers' counts, with at most 100 errors; `batch_count` counts workers
        without a result too."""
        summed = aggregate_batch_results(worker_results).model_dump()
        return {**summed, "batch_count": len(worker_results)}
