"""One task that grows, run by the supervisor's own calls, in any order and batches of any size."""

from __future__ import annotations

from random import Random
from uuid import UUID

from dags import QUEUES, client
from growing import Play
from growing_strategies import result_of

from tasker_mp.claimed_step import ClaimedStep
from tasker_mp.client import Submission
from tasker_mp.db.store import Finished, Store
from tasker_mp.inflight import Entry, Settled
from tasker_mp.settle import grown
from tasker_mp.template.growth import GrowingTemplate, Standing, read_standing
from tasker_mp.template.model import Template

_QUEUES = [queue.replace("dags", "growing") for queue in QUEUES]


def submit_growing(database: str, grows: Template) -> UUID:
    with client(database) as submitter:
        submitter.register(grows)
        submission = Submission(namespace="growing", name="grows", context={})
        return submitter.submit_many([submission])[0]


class GrowthRun:
    """The task's own rows decide what is ready; `play` follows with the same results."""

    def __init__(self, store: Store, grows: Template, random: Random) -> None:
        self.store = store
        self.growing = GrowingTemplate(grows, 1000)
        self.play = Play(grows)
        self.random = random
        self.early = 0

    async def drive(self) -> None:
        held = await self.claim()
        while held:
            self.random.shuffle(held)
            count = self.random.randint(1, len(held))
            batch, held = held[:count], held[count:]
            held += await self._finish([self.settled(step) for step in batch])
            held += await self.claim()

    async def claim(self, capacity: int = 1000) -> list[ClaimedStep]:
        return await self.store.claim_steps(_QUEUES, capacity)

    async def _finish(self, batch: list[Settled]) -> list[ClaimedStep]:
        finished: Finished = await self.store.finish_steps(batch, self.random.randint(0, 3), [])
        assert not finished.stale
        standings = dict(finished.early)
        early = [settled for settled in batch if settled.entry.event_id in standings]
        for settled in batch:
            if settled not in early:
                self.play.finish(settled.entry.name, settled.payload)
        self.early += len(early)
        again = [
            self._regrown(settled, read_standing(standings[settled.entry.event_id]))
            for settled in early
        ]
        return finished.continued + (await self._finish(again) if again else [])

    def _regrown(self, settled: Settled, standing: Standing) -> Settled:
        # What it would choose now: names that another decision has made in between are none.
        settled.payload = result_of(self.play, settled.entry.name, self.random.randrange)
        return grown(settled, standing)

    def settled(self, step: ClaimedStep) -> Settled:
        template_step = self.play.rows[self.play.number(step.name)].template_step
        entry = Entry.of(
            step,
            self.growing.step(template_step),
            step.event(b"null"),
            growing=self.growing,
            template_step=template_step,
        )
        settled = Settled(entry, "complete", result_of(self.play, step.name, self.random.randrange))
        return grown(settled, None) if self.growing.decides(template_step) else settled
