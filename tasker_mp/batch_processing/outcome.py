"""What an analyzer and a worker have come to, and how the engine is told of batches."""

from dataclasses import dataclass, field
from typing import Any

from tasker_mp.batch_processing.cursor import CursorConfig, RustCursorConfig
from tasker_mp.record import Record


@dataclass(kw_only=True)
class BatchAnalyzerOutcome(Record):
    """How the work is cut; every worker is given `batch_metadata`."""

    cursor_configs: list[CursorConfig] = field(default_factory=list)
    total_items: int | None = None
    batch_metadata: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_ranges(
        cls,
        ranges: list[tuple[int, int]],
        step_size: int = 1,
        total_items: int | None = None,
        batch_metadata: dict[str, Any] | None = None,
    ) -> "BatchAnalyzerOutcome":
        """Batches of the author's own bounds.

        >>> BatchAnalyzerOutcome.from_ranges([(0, 500), (500, 800)]).cursor_configs[1].start_cursor
        500
        """
        return cls(
            cursor_configs=[
                CursorConfig(start_cursor=start, end_cursor=end, step_size=step_size)
                for start, end in ranges
            ],
            total_items=total_items,
            batch_metadata=batch_metadata or {},
        )


@dataclass(kw_only=True)
class BatchWorkerOutcome(Record):
    """What a worker did: counts of items, and what it says about single ones."""

    items_processed: int = 0
    items_succeeded: int = 0
    items_failed: int = 0
    items_skipped: int = 0
    results: list[dict[str, Any]] = field(default_factory=list)
    errors: list[dict[str, Any]] = field(default_factory=list)
    last_cursor: int | None = None
    batch_metadata: dict[str, Any] = field(default_factory=dict)

    def as_result(self) -> dict[str, Any]:
        """The result of the worker's step; `results` and `errors` only where there are some."""
        return {name: value for name, value in vars(self).items() if value or name not in _LISTS}


_LISTS = ("results", "errors")


@dataclass(kw_only=True)
class NoBatchesOutcome(Record):
    """There is nothing to do: one worker exists, and is told so."""

    type: str = "no_batches"


@dataclass(kw_only=True)
class CreateBatchesOutcome(Record):
    """One worker for each of `cursor_configs`, from the template's step `worker_template_name`."""

    worker_template_name: str
    worker_count: int
    cursor_configs: list[RustCursorConfig]
    total_items: int
    type: str = "create_batches"


BatchProcessingOutcome = NoBatchesOutcome | CreateBatchesOutcome


def no_batches() -> NoBatchesOutcome:
    return NoBatchesOutcome()


def create_batches(
    worker_template_name: str,
    worker_count: int,
    cursor_configs: list[RustCursorConfig],
    total_items: int,
) -> CreateBatchesOutcome:
    """Raises `ValueError` where `worker_count` is not the number of `cursor_configs`."""
    if worker_count != len(cursor_configs):
        raise ValueError(
            f"worker_count is {worker_count}, and there are {len(cursor_configs)} cursor_configs: "
            "give one for each worker"
        )
    return CreateBatchesOutcome(
        worker_template_name=worker_template_name,
        worker_count=worker_count,
        cursor_configs=list(cursor_configs),
        total_items=total_items,
    )
