"""How a batchable step cuts its work."""

from typing import Any

from tasker_mp.batch_processing.cursor import (
    BatchWorkerConfig,
    CursorConfig,
    RustCursorConfig,
    batch_id,
    ranges_by_size,
    ranges_by_workers,
)
from tasker_mp.batch_processing.outcome import BatchAnalyzerOutcome, create_batches, no_batches
from tasker_mp.mixed_in import Results
from tasker_mp.result import StepHandlerResult


class Analyzer(Results):
    def create_cursor_config(
        self, start: int, end: int, step_size: int = 1, metadata: dict[str, Any] | None = None
    ) -> CursorConfig:
        """One batch, from `start` (inclusive) to `end` (exclusive)."""
        return CursorConfig(
            start_cursor=start, end_cursor=end, step_size=step_size, metadata=metadata or {}
        )

    def create_cursor_ranges(
        self, total_items: int, batch_size: int, step_size: int = 1, max_batches: int | None = None
    ) -> list[CursorConfig]:
        """Batches of `batch_size` items, or larger ones where `max_batches` asks for fewer."""
        ranges = ranges_by_size(total_items, batch_size, max_batches)
        return [self.create_cursor_config(start, end, step_size) for start, end in ranges]

    def create_cursor_configs(self, total_items: int, worker_count: int) -> list[BatchWorkerConfig]:
        """One share for each of at most `worker_count` workers."""
        return ranges_by_workers(total_items, worker_count)

    def create_batch_outcome(
        self,
        total_items: int,
        batch_size: int,
        step_size: int = 1,
        batch_metadata: dict[str, Any] | None = None,
    ) -> BatchAnalyzerOutcome:
        """Batches of `batch_size` items; every worker is given `batch_metadata`."""
        return BatchAnalyzerOutcome(
            cursor_configs=self.create_cursor_ranges(total_items, batch_size, step_size),
            total_items=total_items,
            batch_metadata=batch_metadata or {},
        )

    def create_batch_outcome_from_ranges(
        self,
        ranges: list[tuple[int, int]],
        step_size: int = 1,
        total_items: int | None = None,
        batch_metadata: dict[str, Any] | None = None,
    ) -> BatchAnalyzerOutcome:
        """Batches of the author's own bounds, as (start, end)."""
        return BatchAnalyzerOutcome.from_ranges(ranges, step_size, total_items, batch_metadata)

    def batch_analyzer_success(
        self,
        outcome: BatchAnalyzerOutcome | None = None,
        metadata: dict[str, Any] | None = None,
        worker_template_name: str = "batch_worker",
        cursor_configs: list[CursorConfig] | None = None,
        total_items: int | None = None,
        batch_metadata: dict[str, Any] | None = None,
    ) -> StepHandlerResult:
        """The analyzer's result, from an outcome or from `cursor_configs`: one worker of the
        template's step `worker_template_name` for each. None at all is `no_batches_outcome`."""
        if cursor_configs is not None:
            outcome = BatchAnalyzerOutcome(
                cursor_configs=cursor_configs,
                total_items=total_items,
                batch_metadata=batch_metadata or {},
            )
        if outcome is None:
            return self.no_batches_outcome("no_cursor_configs_provided")
        if not outcome.cursor_configs:
            given = outcome.batch_metadata
            return self.no_batches_outcome(given.get("reason", "empty_dataset"), given)
        result = _result(outcome, worker_template_name)
        return self.success(result, {**(metadata or {}), "batch_analyzer": True})

    def no_batches_outcome(
        self, reason: str, metadata: dict[str, Any] | None = None
    ) -> StepHandlerResult:
        """The analyzer's result where there is nothing to do; `metadata` becomes a part of it."""
        result = {
            "reason": reason,
            **(metadata or {}),
            "batch_processing_outcome": no_batches().model_dump(),
        }
        return self.success(result, {"batch_analyzer": True, "no_batches": True})


def _result(outcome: BatchAnalyzerOutcome, worker_template_name: str) -> dict[str, Any]:
    configs = [
        RustCursorConfig(
            batch_id=batch_id(number),
            start_cursor=config.start_cursor,
            end_cursor=config.end_cursor,
            batch_size=config.end_cursor - config.start_cursor,
        )
        for number, config in enumerate(outcome.cursor_configs, 1)
    ]
    total = outcome.total_items
    if total is None:
        total = sum(config.batch_size for config in configs)
    batches = create_batches(worker_template_name, len(configs), configs, total)
    result = {
        "batch_processing_outcome": batches.model_dump(),
        "worker_count": len(configs),
        "total_items": total,
    }
    return (
        {**result, "batch_metadata": outcome.batch_metadata} if outcome.batch_metadata else result
    )
