"""The table of what the supervisor holds: each event in exactly one place until it is committed."""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Self

import msgspec
from msgspec import Struct

from tasker_mp.claimed_step import ClaimedStep
from tasker_mp.messages import Published
from tasker_mp.template.growth import GrowingTemplate, Growth
from tasker_mp.template.model import StepDefinition

_BRIEF = 0.05
"""Seconds for which a plain step may keep a worker's coroutines waiting (`worker/job.py`)."""
_A_BIT_MORE = 1.001


class Pace(Struct, eq=False):
    """How long a kind of step usually takes, in seconds, and how many of it a worker runs at once
    (0: nobody knows yet); shared by all entries of the kind."""

    usual: float = 0.0
    namespace: str = ""
    template: str = ""
    step: str = ""
    concurrency: int = 0
    apart: bool = False
    """Whether it wants a worker without coroutines, for it would only wait for their ends."""

    def note(self, seconds: float, concurrency: int = 1) -> None:
        """A slow run counts at once and fades; a fast one is one of many."""
        self.usual = max(seconds, self.usual * 0.9)
        self.concurrency = concurrency
        if self.usual <= _BRIEF or concurrency > 1:
            self.apart = False

    def note_kept(self, seconds: float) -> None:
        """A worker kept one of them for so long because it had coroutines."""
        self.note(seconds)
        self.apart = True

    def share(self, allowance: float) -> float:
        """What one takes of the seconds that may wait in a worker: those that run at once fill it,
        however long they run."""
        if self.concurrency <= 1:
            return self.usual
        return min(self.usual, allowance) / self.concurrency * _A_BIT_MORE


class Entry(Struct, eq=False):
    """A claimed step. `payload` is its encoded event, kept so that it can be dispatched again."""

    event_id: bytes
    task: bytes
    step_no: int
    attempt: int
    claim_id: int
    name: str
    step: StepDefinition
    payload: bytes
    claimed_at: float
    pace: Pace = msgspec.field(default_factory=Pace)
    traceparent: str | None = None
    growing: GrowingTemplate | None = None
    """Where steps come to be at run time: what says which."""
    template_step: str = ""
    """The name under which the template has it."""
    results: int = -1
    """Of how many ancestors its event has the results; -1 where they are too long to count."""
    crashes: int = 0
    """How often this step has taken its worker down before."""
    suspected: int = 0
    """How often it was one of several that may have taken their worker down."""
    worker: int | None = None
    """The index of the worker that it was dispatched to, if any."""
    number: int = 0
    """Its place among the events dispatched to that worker's incarnation, from 1."""
    expected: float = 0.0
    """Seconds that its kind usually took when it was dispatched."""

    @classmethod
    def of(
        cls,
        claimed: ClaimedStep,
        step: StepDefinition,
        payload: bytes,
        claimed_at: float = 0.0,
        pace: Pace | None = None,
        growing: GrowingTemplate | None = None,
        template_step: str = "",
    ) -> Self:
        """`payload` is its encoded event."""
        return cls(
            claimed.event_id,
            claimed.task,
            claimed.step_no,
            claimed.attempt,
            claimed.claim_id,
            claimed.name,
            step,
            payload,
            claimed_at,
            pace or Pace(),
            claimed.traceparent,
            growing,
            template_step,
            claimed.counted(),
            claimed.crashes,
        )


class Settled(Struct, eq=False):
    """A step's fate, to be committed: `payload` is the result of a complete one, the checkpoint of
    one that goes on (it stays in progress), else the error.

    `state` is a step state's name; `delay` in seconds until a retry.
    """

    entry: Entry
    state: str
    payload: bytes
    metadata: bytes = b"null"
    delay: float = 0.0
    run_ns: int = 0
    crashed: bool = False
    """Whether the attempt took its worker down."""
    at: float = 0.0
    """When its fate was decided, by the monotonic clock."""
    growth: Growth | None = None
    """The steps that come to be with it."""
    events: list[Published] | None = None
    """The domain events that its commit makes; None until somebody has said which."""


class InflightTable:
    """Events by id, and how many uncommitted steps each claim still has."""

    def __init__(self) -> None:
        self._entries: dict[bytes, Entry] = {}
        self._claims: Counter[int] = Counter()
        self._held: set[bytes] = set()
        self._released: set[bytes] = set()
        self._rememberers = 0

    def __len__(self) -> int:
        """Events without a result yet."""
        return len(self._entries)

    @property
    def held(self) -> int:
        """Claimed steps that are not committed: in flight, or settled and waiting for a lane."""
        return len(self._held)

    def knows(self, event_id: bytes) -> bool:
        """Whether this event is held, with or without a result; or was, see `remembering`."""
        return event_id in self._held or event_id in self._released

    @contextmanager
    def remembering(self) -> Iterator[None]:
        """Go on knowing what is released: a list of what was held is out of date on arrival."""
        self._rememberers += 1
        try:
            yield
        finally:
            self._rememberers -= 1
            if not self._rememberers:
                self._released.clear()

    def add(self, entry: Entry) -> None:
        if entry.event_id in self._held:
            raise ValueError(f"event {entry.event_id.hex()} is held already")
        self._entries[entry.event_id] = entry
        self._claims[entry.claim_id] += 1
        self._held.add(entry.event_id)

    def settle(self, event_id: bytes) -> Entry | None:
        """Take an event out, for good; None where it is unknown or was settled before."""
        return self._entries.pop(event_id, None)

    def entries(self) -> Iterable[Entry]:
        return self._entries.values()

    def release(self, committed: Iterable[Entry]) -> list[int]:
        """Count committed steps off their claims; the claims of which nothing is held any more."""
        emptied = []
        for entry in committed:
            self._held.discard(entry.event_id)
            if self._rememberers:
                self._released.add(entry.event_id)
            self._claims[entry.claim_id] -= 1
            if not self._claims[entry.claim_id]:
                del self._claims[entry.claim_id]
                emptied.append(entry.claim_id)
        return emptied
