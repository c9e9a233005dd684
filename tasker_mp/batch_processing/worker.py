"""How a batch worker learns what to do, says how far it is, and what it did."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from tasker_mp.batch_processing.cursor import CursorConfig
from tasker_mp.batch_processing.outcome import BatchWorkerOutcome
from tasker_mp.batch_processing.worker_inputs import BatchWorkerContext, RustBatchWorkerInputs
from tasker_mp.context import StepContext
from tasker_mp.errors import ValidationError
from tasker_mp.mixed_in import Results
from tasker_mp.result import StepHandlerResult


class Worker(Results):
    def get_batch_context(self, context: StepContext) -> BatchWorkerContext | None:
        """The worker's batch and checkpoint; None where the step is no batch worker."""
        return BatchWorkerContext.from_step_context(context)

    def get_batch_worker_inputs(self, context: StepContext) -> RustBatchWorkerInputs | None:
        """The step's own inputs; None where they are not those of a batch worker."""
        if not context.step_inputs:
            return None
        try:
            return RustBatchWorkerInputs.model_validate(context.step_inputs)
        except ValidationError:
            return None

    def handle_no_op_worker(self, context: StepContext) -> StepHandlerResult | None:
        """The result to return at once where there were no batches; None where there is work.

        An analyzer that finds nothing still gets one worker, so that what comes after it runs.
        """
        inputs = self.get_batch_worker_inputs(context)
        if inputs is None or not inputs.is_no_op:
            return None
        return StepHandlerResult.success(
            {
                "batch_id": inputs.cursor.batch_id,
                "no_op": True,
                "processed_count": 0,
                "message": "No batches to process",
                "processed_at": datetime.now(UTC).isoformat(),
            }
        )

    def create_batch_context(
        self,
        cursor_config: CursorConfig,
        batch_index: int,
        total_batches: int,
        batch_metadata: dict[str, Any] | None = None,
    ) -> BatchWorkerContext:
        """A batch made by hand, for tests; `batch_index` counts from 0."""
        return BatchWorkerContext(
            batch_id=str(uuid4()),
            cursor_config=cursor_config,
            batch_index=batch_index,
            total_batches=total_batches,
            batch_metadata=batch_metadata or {},
        )

    def create_worker_outcome(
        self,
        items_processed: int,
        items_succeeded: int | None = None,
        items_failed: int = 0,
        items_skipped: int = 0,
        results: list[dict[str, Any]] | None = None,
        errors: list[dict[str, Any]] | None = None,
        last_cursor: int | None = None,
        batch_metadata: dict[str, Any] | None = None,
    ) -> BatchWorkerOutcome:
        """What the worker did; where `items_succeeded` is not given, all that neither failed nor
        was skipped."""
        if items_succeeded is None:
            items_succeeded = max(items_processed - items_failed - items_skipped, 0)
        return BatchWorkerOutcome(
            items_processed=items_processed,
            items_succeeded=items_succeeded,
            items_failed=items_failed,
            items_skipped=items_skipped,
            results=results or [],
            errors=errors or [],
            last_cursor=last_cursor,
            batch_metadata=batch_metadata or {},
        )

    def batch_worker_success(
        self,
        outcome: BatchWorkerOutcome | None = None,
        metadata: dict[str, Any] | None = None,
        items_processed: int | None = None,
        items_succeeded: int | None = None,
        items_failed: int = 0,
        items_skipped: int = 0,
        results: list[dict[str, Any]] | None = None,
        errors: list[dict[str, Any]] | None = None,
        last_cursor: int | None = None,
        batch_metadata: dict[str, Any] | None = None,
    ) -> StepHandlerResult:
        """The worker's result, from an outcome or from the counts themselves."""
        if items_processed is not None:
            outcome = self.create_worker_outcome(
                items_processed,
                items_succeeded,
                items_failed,
                items_skipped,
                results,
                errors,
                last_cursor,
                batch_metadata,
            )
        if outcome is None:
            return self.failure(
                "batch_worker_success requires either outcome or items_processed",
                error_type="invalid_args",
                retryable=False,
            )
        return self.success(outcome.as_result(), {**(metadata or {}), "batch_worker": True})

    def batch_worker_partial_failure(
        self,
        outcome: BatchWorkerOutcome,
        message: str | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> StepHandlerResult:
        """A success, although some items failed: for failures that the author can live with."""
        result = {**outcome.as_result(), "partial_failure": True}
        if message:
            result["partial_failure_message"] = message
        kept = {**(metadata or {}), "batch_worker": True, "had_failures": True}
        return self.success(result, kept)

    def checkpoint_yield(
        self,
        cursor: int | str | dict[str, Any] | None,
        items_processed: int,
        accumulated_results: dict[str, Any] | None = None,
    ) -> StepHandlerResult:
        """Save how far the work is, and go on in another run of the same step: no attempt is
        charged, and a crash resumes from here.

        `items_processed` counts from the beginning, over all runs. The next run finds it all in
        its context: `checkpoint_cursor`, `checkpoint_items_processed`, `accumulated_results`.

        >>> Worker().checkpoint_yield(cursor=500, items_processed=500).result["cursor"]
        500
        """
        result: dict[str, Any] = {
            "type": "checkpoint_yield",
            "cursor": cursor,
            "items_processed": items_processed,
        }
        if accumulated_results is not None:
            result["accumulated_results"] = accumulated_results
        return StepHandlerResult.success(result, {"checkpoint_yield": True, "batch_worker": True})
