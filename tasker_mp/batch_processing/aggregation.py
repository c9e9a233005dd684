"""The workers' results added up, or the fact that there were no batches."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tasker_mp.record import Record


@dataclass
class BatchAggregationScenario:
    """What a convergence step finds: the analyzer's result, and the workers' by step name.

    `is_no_batches`: the analyzer found nothing to do, so there is only its own result.
    """

    is_no_batches: bool
    batchable_result: dict[str, Any]
    batch_results: dict[str, dict[str, Any]]
    worker_count: int

    @classmethod
    def detect(
        cls,
        dependency_results: Mapping[str, Any],
        batchable_step_name: str,
        batch_worker_prefix: str,
    ) -> "BatchAggregationScenario":
        """Raises `ValueError` where the analyzer's result is missing, or it made batches of which
        none is among the results.

        >>> done = {"cut": {"batch_processing_outcome": {"type": "create_batches"}},
        ...         "work_001": {"result": {"items_processed": 3}}}
        >>> BatchAggregationScenario.detect(done, "cut", "work_").batch_results
        {'work_001': {'items_processed': 3}}
        """
        if dependency_results.get(batchable_step_name) is None:
            raise ValueError(f"Missing batchable step dependency: {batchable_step_name}")
        analyzed = _object(dependency_results[batchable_step_name])
        outcome = analyzed.get("batch_processing_outcome")
        if isinstance(outcome, dict) and outcome.get("type") == "no_batches":
            return cls(True, analyzed, {}, 0)
        results = {
            name: _object(result)
            for name, result in dependency_results.items()
            if name.startswith(batch_worker_prefix)
        }
        if not results:
            raise ValueError(
                f"No batch workers found with prefix '{batch_worker_prefix}', and step "
                f"'{batchable_step_name}' did not say that there are none: check the prefix"
            )
        return cls(False, analyzed, results, len(results))

    def no_batches(self) -> bool:
        return self.is_no_batches


@dataclass(kw_only=True)
class BatchAggregationResult(Record):
    """Sums over workers; `success_rate` is 0.0 to 1.0, `errors` the first of `error_count`."""

    total_processed: int
    total_succeeded: int
    total_failed: int
    total_skipped: int
    batch_count: int
    success_rate: float
    error_count: int
    errors: list[dict[str, Any]] = field(default_factory=list)


def aggregate_batch_results(
    worker_results: Sequence[Mapping[str, Any] | None], max_errors: int = 100
) -> BatchAggregationResult:
    """The workers' results added up; None, a worker without a result, is not counted.

    >>> aggregate_batch_results([{"items_processed": 4, "items_succeeded": 3}, None]).success_rate
    0.75
    """
    results = [result for result in worker_results if result is not None]
    errors = [error for result in results for error in result.get("errors") or ()]
    processed, succeeded = _sum(results, "items_processed"), _sum(results, "items_succeeded")
    return BatchAggregationResult(
        total_processed=processed,
        total_succeeded=succeeded,
        total_failed=_sum(results, "items_failed"),
        total_skipped=_sum(results, "items_skipped"),
        batch_count=len(results),
        success_rate=succeeded / processed if processed > 0 else 0.0,
        error_count=len(errors),
        errors=errors[:max_errors],
    )


def _sum(results: Sequence[Mapping[str, Any]], name: str) -> int:
    return sum(result.get(name) or 0 for result in results)


def _object(result: Any) -> dict[str, Any]:
    """The result, unwrapped from `{"result": …}`; empty where it is no object."""
    inner = result["result"] if isinstance(result, dict) and "result" in result else result
    return inner if isinstance(inner, dict) else {}
