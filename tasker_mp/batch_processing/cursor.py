"""Which part of the work a batch is: positions, the first included and the last not."""

from dataclasses import dataclass, field
from typing import Any

from tasker_mp.record import Record


@dataclass(kw_only=True)
class CursorConfig(Record):
    """One batch, from `start_cursor` (inclusive) to `end_cursor` (exclusive)."""

    start_cursor: int
    end_cursor: int
    step_size: int = 1
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(kw_only=True)
class RustCursorConfig(Record):
    """One batch as the engine reads it; `batch_size` is its number of items.

    Cursors may be other JSON values than integers, such as times, where the author's worker knows
    what they mean.
    """

    batch_id: str
    start_cursor: Any
    end_cursor: Any
    batch_size: int


@dataclass
class BatchWorkerConfig:
    """One worker's share where work is cut by the number of workers; `worker_index` counts from 0,
    `batch_id` from "001"."""

    batch_id: str
    cursor_start: int
    cursor_end: int
    row_count: int
    worker_index: int
    total_workers: int

    def to_dict(self) -> dict[str, Any]:
        return dict(vars(self))


def batch_id(number: int) -> str:
    """The id of batch `number`, which counts from 1.

    >>> batch_id(7)
    '007'
    """
    return f"{number:03d}"


def ranges_by_size(
    total_items: int, batch_size: int, max_batches: int | None = None
) -> list[tuple[int, int]]:
    """`total_items` cut into batches of `batch_size`; of more where `max_batches` would not do.

    >>> ranges_by_size(250, 100)
    [(0, 100), (100, 200), (200, 250)]
    >>> ranges_by_size(250, 100, max_batches=2)
    [(0, 125), (125, 250)]
    """
    if total_items < 0:
        raise ValueError(f"total_items is {total_items}: it must be 0 or more")
    if total_items and batch_size <= 0:
        raise ValueError(f"batch_size is {batch_size}: it must be > 0")
    if max_batches and -(-total_items // batch_size) > max_batches:
        batch_size = -(-total_items // max_batches)
    return (
        [
            (start, min(start + batch_size, total_items))
            for start in range(0, total_items, batch_size)
        ]
        if total_items
        else []
    )


def ranges_by_workers(total_items: int, worker_count: int) -> list[BatchWorkerConfig]:
    """`total_items` cut for at most `worker_count` workers, the last one's share the smallest.

    >>> [(c.batch_id, c.cursor_start, c.cursor_end) for c in ranges_by_workers(1000, 3)]
    [('001', 0, 334), ('002', 334, 668), ('003', 668, 1000)]
    """
    if worker_count <= 0:
        raise ValueError(f"worker_count is {worker_count}: it must be > 0")
    share = -(-total_items // worker_count)
    return [
        BatchWorkerConfig(batch_id(i + 1), start, end, end - start, i, worker_count)
        for i, (start, end) in enumerate(ranges_by_size(total_items, share))
    ]
