"""The bare loop: claims and finishes with the engine's own queries, and runs nothing in between."""

import asyncio
from collections import Counter, deque
from collections.abc import Mapping, Sequence

from tasker_mp.claimed_step import ClaimedStep
from tasker_mp.db.store import Store
from tasker_mp.inflight import Entry, Settled
from tasker_mp.states import StepState
from tasker_mp.template.model import HandlerDefinition, StepDefinition

_STEP = StepDefinition("bare", HandlerDefinition("none"))


class BareLoop:
    """What a pipeline does with the database, with the result of each step known beforehand.

    `results` by step name, encoded. At most `in_flight` steps are held, and `batch` finished at
    once; both as the pipeline has them. `steps` have been finished so far.
    """

    def __init__(
        self,
        claims: Store,
        lanes: Sequence[Store],
        queues: Sequence[str],
        results: Mapping[str, bytes],
        in_flight: int,
        batch: int,
    ) -> None:
        self.steps = 0
        self._claims = claims
        self._lanes = lanes
        self._queues = list(queues)
        self._results = results
        self._in_flight = in_flight
        self._batch = batch
        self._held = 0
        self._by_claim: Counter[int] = Counter()
        self._released: list[int] = []
        self._ready: deque[ClaimedStep] = deque()
        self._arrived = asyncio.Condition()
        self._wanted = asyncio.Event()

    def note_work(self, _queue: str = "") -> None:
        """The queues may have steps."""
        self._wanted.set()

    async def run(self) -> None:
        """For ever."""
        async with asyncio.TaskGroup() as loops:
            loops.create_task(self._claim())
            for lane in self._lanes:
                loops.create_task(self._finish(lane))

    async def _claim(self) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            room = self._in_flight - self._held
            if room < max(1, self._in_flight // 4):
                continue  # a commit makes room, and asks again
            self._held += room
            claimed = await self._claims.claim_steps(self._queues, room)
            self._held -= room
            if len(claimed) == room:
                self._wanted.set()
            await self._accept(claimed)

    async def _finish(self, lane: Store) -> None:
        while True:
            async with self._arrived:
                await self._arrived.wait_for(lambda: self._ready)
            count = min(len(self._ready), self._batch)
            steps = [self._ready.popleft() for _ in range(count)]
            batch = [settled(step, self._results[step.name]) for step in steps]
            extra = max(0, self._in_flight - self._held) // 4
            released, self._released = self._released, []
            self._held += extra
            finished = await lane.finish_steps(batch, count + extra, released)
            self._held -= extra
            self._release(batch)
            self.steps += count - len(finished.stale)
            self._wanted.set()
            await self._accept(finished.continued)

    async def _accept(self, claimed: Sequence[ClaimedStep]) -> None:
        self._held += len(claimed)
        self._by_claim.update(step.claim_id for step in claimed)
        self._ready.extend(claimed)
        async with self._arrived:
            self._arrived.notify_all()

    def _release(self, batch: Sequence[Settled]) -> None:
        self._held -= len(batch)
        for settled in batch:
            claim = settled.entry.claim_id
            self._by_claim[claim] -= 1
            if not self._by_claim[claim]:
                del self._by_claim[claim]
                self._released.append(claim)


def settled(step: ClaimedStep, result: bytes) -> Settled:
    """The fate of a step that has run, with this encoded result."""
    return Settled(Entry.of(step, _STEP, step.event(b"null")), StepState.COMPLETE, result)
