"""What a batch worker is given: its part of the work, and where an earlier run left off."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from tasker_mp.batch_processing.cursor import CursorConfig, RustCursorConfig
from tasker_mp.context import StepContext
from tasker_mp.record import Record


class FailureStrategy(StrEnum):
    """What the failure of one worker means for the others."""

    CONTINUE_ON_FAILURE = "continue_on_failure"
    FAIL_FAST = "fail_fast"
    ISOLATE = "isolate"


@dataclass(kw_only=True)
class BatchMetadata(Record):
    """What the template's `batch_config` says to every worker."""

    cursor_field: str | None = None
    failure_strategy: FailureStrategy | None = FailureStrategy.CONTINUE_ON_FAILURE


@dataclass(kw_only=True)
class RustBatchWorkerInputs(Record):
    """A worker's `step_inputs`; with `is_no_op` there is nothing to do."""

    cursor: RustCursorConfig
    batch_metadata: BatchMetadata = field(default_factory=BatchMetadata)
    is_no_op: bool = False


@dataclass(kw_only=True)
class BatchWorkerContext(Record):
    """One worker's batch, and the checkpoint of its earlier runs (empty where there is none)."""

    batch_id: str
    cursor_config: CursorConfig
    batch_index: int
    total_batches: int
    batch_metadata: dict[str, Any] = field(default_factory=dict)
    checkpoint: dict[str, Any] = field(default_factory=dict)
    is_no_op: bool = False

    @property
    def start_cursor(self) -> int:
        return self.cursor_config.start_cursor

    @property
    def end_cursor(self) -> int:
        return self.cursor_config.end_cursor

    @property
    def step_size(self) -> int:
        return self.cursor_config.step_size

    @property
    def checkpoint_cursor(self) -> Any:
        """Where the last `checkpoint_yield` left off, or None: ask `has_checkpoint` first, since 0
        is a cursor too."""
        return self.checkpoint.get("cursor")

    @property
    def accumulated_results(self) -> dict[str, Any] | None:
        """What the last `checkpoint_yield` handed on, or None."""
        return self.checkpoint.get("accumulated_results")

    @property
    def checkpoint_items_processed(self) -> int:
        """How many items were done at the last `checkpoint_yield`; 0 without one."""
        return int(self.checkpoint.get("items_processed") or 0)

    def has_checkpoint(self) -> bool:
        return self.checkpoint_cursor is not None

    @classmethod
    def from_step_context(cls, step_context: StepContext) -> "BatchWorkerContext | None":
        """The batch of a worker's step, or None where the step is no batch worker."""
        inputs = step_context.step_inputs
        checkpoint = step_context.checkpoint or {}
        if "cursor" in inputs:
            return _of_inputs(cls, inputs, checkpoint)
        older = step_context.step_config.get("batch_context") or step_context.input_data.get(
            "batch_context"
        )
        return _of_older(cls, older, checkpoint) if isinstance(older, dict) else None


def _of_inputs(
    cls: type[BatchWorkerContext], inputs: dict[str, Any], checkpoint: dict[str, Any]
) -> BatchWorkerContext:
    cursor = inputs["cursor"] or {}
    number = str(cursor.get("batch_id") or "")
    return cls(
        batch_id=number,
        cursor_config=_cursor(cursor, cursor.get("batch_size") or 1),
        batch_index=max(int(number) - 1, 0) if number.isdecimal() else 0,
        total_batches=inputs.get("total_batches") or 1,
        batch_metadata=inputs.get("batch_metadata") or {},
        checkpoint=checkpoint,
        is_no_op=bool(inputs.get("is_no_op")),
    )


def _of_older(
    cls: type[BatchWorkerContext], given: dict[str, Any], checkpoint: dict[str, Any]
) -> BatchWorkerContext:
    """A `batch_context` among the step's settings or the task's input, as tests may give it."""
    return cls(
        batch_id=str(given.get("batch_id") or ""),
        cursor_config=_cursor(given.get("cursor_config") or {}, 1),
        batch_index=given.get("batch_index") or 0,
        total_batches=given.get("total_batches") or 1,
        batch_metadata=given.get("batch_metadata") or {},
        checkpoint=checkpoint,
    )


def _cursor(given: dict[str, Any], step_size: int) -> CursorConfig:
    return CursorConfig(
        start_cursor=given.get("start_cursor") or 0,
        end_cursor=given.get("end_cursor") or 0,
        step_size=given.get("step_size") or step_size,
        metadata=given.get("metadata") or {},
    )
