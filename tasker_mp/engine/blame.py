"""Who is to blame for a worker's death, by what its page and the supervisor's book say of it."""

from collections.abc import Sequence
from typing import NamedTuple

from tasker_mp.inflight import Entry
from tasker_mp.worker.page import WorkerPage

SUSPICIONS: int = 2
"""So often a step may have been among several that could have been it; then it runs alone."""


class Blame(NamedTuple):
    """`charged`: the one. `suspects`: one of these, nobody knows which; none of them is charged."""

    charged: Entry | None
    suspects: Sequence[Entry] = ()


def find_blame(sent: Sequence[Entry], page: WorkerPage, executed: Entry | None) -> Blame:
    """`sent` is what has no result after the final drain, in order; `executed` the step over which
    the supervisor killed the worker, where that is what it died of.

    Where the page calls a step finished and no good result of it came, the worker was broken by
    then: by that step, or by any later one that has written over results which nobody had read yet.
    A step that was killed for its deadline is to blame for nothing if it ended in
    time after all, and nobody else is. A crash is the doing of the code that the worker was in:
    the plain step, or the coroutine whose turn it was; or of a thread, if any ran.

    Steps that had ended, but whose results were not published yet, did not bring it down.
    """
    joined = page.joined()
    if any(e.number <= page.finished and e.number not in joined for e in sent):
        return _one_of([entry for entry in sent if entry.number <= page.started])
    plain = page.started if page.started != page.finished else 0
    if executed is not None:
        at_it = executed in sent and (executed.number == plain or executed.number in joined)
        return Blame(executed if at_it else None)
    turn = page.turn
    inside = plain or (turn.number if turn else 0)
    threads = {number for number, event in joined.items() if event.kind == "thread"}
    # By number, not by identity: of an event that has ended its background tasks may hold the loop.
    numbers = {inside, *threads} if any(e.number == inside for e in sent) else set(joined)
    return _one_of([entry for entry in sent if entry.number in numbers])


def _one_of(suspects: list[Entry]) -> Blame:
    return Blame(suspects[0]) if len(suspects) == 1 else Blame(None, suspects)
