"""The input of a step that follows another one, out of what the supervisor has from that one."""

from uuid import UUID

from tasker_mp.claimed_step import ClaimedStep
from tasker_mp.inflight import Settled
from tasker_mp.messages import encode, event_decoder
from tasker_mp.states import StepState


def countable_results(settled: Settled) -> int:
    """Of how many ancestors a child of this step finds the results here, besides this one's; -1
    where that says nothing: it has no result, or its task's steps are not numbered in order."""
    entry = settled.entry
    return entry.results if settled.state == StepState.COMPLETE and entry.growing is None else -1


def follow(
    parent: Settled,
    step_no: int,
    event_id: bytes,
    template_id: int,
    name: str,
    attempt: int,
    crashes: int,
    claim_id: int,
) -> ClaimedStep:
    """A claimed step with the input that the database would give it, to the byte: its task's, and
    its parent's dependencies and result, which are all that it has (tasker.unlock_children)."""
    entry = parent.entry
    given = event_decoder.decode(entry.payload)
    before = bytes(given.dependencies)[:-1] + b"," if entry.results else b"{"
    return ClaimedStep(
        entry.task,
        step_no,
        event_id,
        template_id,
        name,
        attempt,
        crashes,
        claim_id,
        None if given.correlation_id is None else UUID(given.correlation_id).bytes,
        bytes(given.context),
        b"%b%b:%b}" % (before, encode(entry.name), parent.payload),
        given.traceparent,
        None,
        entry.results + 1,
    )
