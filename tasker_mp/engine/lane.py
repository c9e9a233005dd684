"""A commit lane: one connection that commits batches of results, and isolates a bad one."""

import time
from collections.abc import Sequence

import psycopg
import structlog

from tasker_mp.db.refusals import REFUSALS
from tasker_mp.db.session import Session
from tasker_mp.db.store import Finished
from tasker_mp.inflight import Settled
from tasker_mp.messages import StepError
from tasker_mp.publication import default_events
from tasker_mp.result import ErrorType
from tasker_mp.settle import settle_failure

log = structlog.get_logger("tasker_mp.lane")


class Lane:
    """Commits; the claims that were emptied by a commit are released with the next one."""

    def __init__(self, session: Session, fired_by: str = "") -> None:
        self.session = session
        self._fired_by = fired_by
        self._released: list[int] = []

    def release(self, claims: Sequence[int]) -> None:
        self._released.extend(claims)

    async def commit(self, batch: Sequence[Settled], capacity: int) -> Finished:
        """One transaction for the whole batch; a row that the database refuses fails alone."""
        released, self._released = self._released, []
        try:
            return await self.session.run(lambda s: s.finish_steps(batch, capacity, released))
        except REFUSALS as error:
            self._released = released
            if len(batch) > 1:
                return await self._halves(batch, capacity)
            if capacity:  # perhaps it was the input of a child, and the result is blameless
                return await self.commit(batch, 0)
            log.error("result refused by the database", error=str(error).splitlines()[0])
            self._fail(batch[0], error)
            return await self.session.run(lambda s: s.finish_steps(batch, 0, []))

    async def _halves(self, batch: Sequence[Settled], capacity: int) -> Finished:
        middle = len(batch) // 2
        first = await self.commit(batch[:middle], capacity)
        second = await self.commit(batch[middle:], capacity)
        return Finished(
            first.continued + second.continued,
            first.stale + second.stale,
            first.ended + second.ended,
            first.early + second.early,
        )

    def _fail(self, settled: Settled, error: psycopg.Error) -> None:
        """Turn its fate: whoever counts or tells of it later sees the failure."""
        failure = StepError(
            message=f"the database refused the result: {str(error).splitlines()[0]}",
            error_type=ErrorType.PERMANENT_ERROR,
            error_code=error.sqlstate,
            retryable=False,
        )
        failed = settle_failure(settled.entry, failure, 0.0)
        settled.state, settled.payload = failed.state, failed.payload
        settled.metadata, settled.growth = failed.metadata, None
        settled.events = default_events(failed, self._fired_by, time.time())
