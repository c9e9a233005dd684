"""What a decision or a batchable step says of the steps to come: read from its result, checked."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Final, Literal

import msgspec
from msgspec import Raw, Struct

from tasker_mp.errors import EngineError
from tasker_mp.nearest import suggestion
from tasker_mp.template.model import FailureStrategy, StepDefinition

NO_OP_BATCH: Final = "000"
"""The batch of the one worker that stands for no batches: its convergence waits for it."""

_LONGEST_ID = 64
_DEFAULT_STRATEGY: Final[FailureStrategy] = "continue_on_failure"


class BranchingError(EngineError):
    """A step's outcome names steps that cannot be made; no retry of the same code will cure it."""


class Branches(Struct, frozen=True):
    """The steps that a decision chose; none, where it took no branch."""

    names: tuple[str, ...]


class Batch(Struct, frozen=True):
    """One worker to make: its `batch_id`, and the JSON of its `step_inputs`."""

    batch_id: str
    inputs: Raw


class Batches(Struct, frozen=True):
    """The workers that a batchable step asked for, by the template step that each of them runs."""

    worker: str
    batches: tuple[Batch, ...]


class _DecisionOutcome(Struct):
    type: Literal["create_steps", "no_branches"]
    step_names: list[str] = []
    dynamic_steps: list[Any] | None = None


class _Decision(Struct):
    decision_point_outcome: _DecisionOutcome


class _Cursor(Struct):
    batch_id: str
    start_cursor: Any
    end_cursor: Any
    batch_size: int


class _BatchOutcome(Struct):
    type: Literal["create_batches", "no_batches"]
    worker_template_name: str | None = None
    worker_count: int | None = None
    cursor_configs: list[_Cursor] = []
    total_items: int | None = None


class _Batchable(Struct):
    batch_processing_outcome: _BatchOutcome
    batch_metadata: dict[str, Any] = {}


def read_decision(result: bytes) -> Branches:
    """`BranchingError` where the result of a decision step does not say what it decided."""
    outcome = _read(result, _Decision, "decision_point_outcome").decision_point_outcome
    if outcome.type == "no_branches":
        return Branches(())
    if outcome.dynamic_steps:
        raise BranchingError("dynamic_steps: steps that no template defines cannot be created")
    if not outcome.step_names:
        raise BranchingError("create_steps names no step: return no_branches for none")
    return Branches(tuple(dict.fromkeys(outcome.step_names)))


def read_batches(result: bytes, step: StepDefinition, limit: int) -> Batches | None:
    """The batches of a batchable step's result, checked; None where it has no worker to make at
    all. `limit` is how many one outcome may have."""
    decoded = _read(result, _Batchable, "batch_processing_outcome")
    outcome, configured = decoded.batch_processing_outcome, step.batch_config
    shared = {
        **decoded.batch_metadata,
        "cursor_field": (configured and configured.cursor_field) or "id",
        "failure_strategy": (configured and configured.failure_strategy) or _DEFAULT_STRATEGY,
    }
    if outcome.type == "no_batches":
        worker = configured and configured.worker_template
        return Batches(worker, (_no_op(shared),)) if worker else None
    if outcome.worker_template_name is None:
        raise BranchingError("create_batches lacks worker_template_name")
    cursors = outcome.cursor_configs
    _check_count(outcome, limit)
    _check_ids(cursors)
    _check_ranges(cursors)
    batches = tuple(Batch(cursor.batch_id, _inputs(cursor, shared)) for cursor in cursors)
    return Batches(outcome.worker_template_name, batches)


def _read(result: bytes, kind: type[Any], key: str) -> Any:
    try:
        return msgspec.json.decode(result, type=kind)
    except msgspec.ValidationError as error:
        raise BranchingError(f"the result's {key}: {error}") from None


def _check_count(outcome: _BatchOutcome, limit: int) -> None:
    count = len(outcome.cursor_configs)
    if not count:
        raise BranchingError("create_batches has no cursor_configs: return no_batches for none")
    if outcome.worker_count not in (None, count):
        raise BranchingError(
            f"worker_count is {outcome.worker_count}, but there are {count} cursor_configs"
        )
    if count > limit:
        raise BranchingError(
            f"{count} batches are more than [steps] max_batches = {limit}: make them larger"
        )


def _check_ids(cursors: list[_Cursor]) -> None:
    seen = set()
    for cursor in cursors:
        if not 1 <= len(cursor.batch_id) <= _LONGEST_ID:
            raise BranchingError(
                f"batch_id {cursor.batch_id[:80]!r} must have 1 to {_LONGEST_ID} characters"
            )
        if cursor.batch_id in seen:
            raise BranchingError(f"batch_id {cursor.batch_id!r} is there twice")
        seen.add(cursor.batch_id)


def _check_ranges(cursors: list[_Cursor]) -> None:
    """Cursors that are numbers must make ranges that do not overlap; others are the author's."""
    ranges = []
    for cursor in cursors:
        start, end = cursor.start_cursor, cursor.end_cursor
        if isinstance(start, int) and isinstance(end, int):
            if start < 0 or end <= start:
                raise BranchingError(
                    f"batch {cursor.batch_id!r} goes from {start} to {end}: a range starts at 0 or "
                    "above and ends behind its start"
                )
            ranges.append((start, end, cursor.batch_id))
    ranges.sort()
    for (_, end, one), (start, _, other) in pairwise(ranges):
        if start < end:
            raise BranchingError(f"batches {one!r} and {other!r} overlap at {start}")


def _inputs(cursor: _Cursor, shared: dict[str, Any]) -> Raw:
    inputs = {"cursor": cursor, "batch_metadata": shared, "is_no_op": False}
    return Raw(msgspec.json.encode(inputs))


def _no_op(shared: dict[str, Any]) -> Batch:
    cursor = _Cursor(NO_OP_BATCH, 0, 0, 0)
    inputs = {"cursor": cursor, "batch_metadata": shared, "is_no_op": True}
    return Batch(NO_OP_BATCH, Raw(msgspec.json.encode(inputs)))


def unknown_step(name: str, known: list[str], who: str) -> BranchingError:
    return BranchingError(f"{who} names the unknown step {name!r}; {suggestion(name, known)}")
