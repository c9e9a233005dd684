"""A coroutine's deadline inside its worker: past it, it is cancelled, and nobody else is hurt."""

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec

from tasker_mp.messages import StepError, StepOutcome, encode
from tasker_mp.result import ErrorType
from tasker_mp.worker.turn import Holder, innermost

_BEAT = 0.25
_OWN_FRAMES = 2
_STALL = 1.0
"""Seconds without a beat, as the supervisor's watchdog has them, that no handler held the loop."""


class Standstill:
    """How long this process stood still in all (SIGSTOP, a frozen container): nobody's time runs
    then. What a handler does to the loop is not meant: the supervisor sees to that."""

    def __init__(self, holder: Holder) -> None:
        self.seconds = 0.0
        self._holder = holder
        self._loop: asyncio.AbstractEventLoop | None = None
        self._beat: asyncio.TimerHandle | None = None
        self._last = 0.0

    def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """Somebody runs on the loop, which runs or is about to."""
        if self._beat is None:
            self._loop, self._last = loop, loop.time()
            self._holder.longest_ns = 0
            self._beat = loop.call_later(_BEAT, self._next)

    def end(self) -> None:
        """The loop has nobody's deadline to keep, or does not run for now."""
        if self._beat is not None:
            self._beat.cancel()
            self._beat = None

    def look(self) -> None:
        if self._loop is None or self._beat is None:
            return
        now = self._loop.time()
        gap, held = now - self._last, self._holder.longest_ns / 1e9
        if gap - held > _STALL:
            self.seconds += gap
        self._last, self._holder.longest_ns = now, 0

    def _next(self) -> None:
        self.look()
        assert self._loop is not None
        self._beat = self._loop.call_later(_BEAT, self._next)


class Deadline:
    """Cancels `task` once it has run for `limit` seconds; `passed` says that it did."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        task: asyncio.Task[Any],
        limit: float,
        standstill: Standstill,
    ) -> None:
        self.limit = limit
        self.passed = False
        self.run_seconds = 0.0
        self.stack: Sequence[str] = ()
        self._loop = loop
        self._task = task
        self._standstill = standstill
        self._began = loop.time()
        self._given = standstill.seconds
        self._timer = loop.call_later(limit, self._look)

    def _look(self) -> None:
        self._standstill.look()
        due = self._began + self.limit + self._standstill.seconds - self._given
        now = self._loop.time()
        if now < due:
            self._timer = self._loop.call_at(due, self._look)
            return
        self.passed = True
        self.run_seconds = now - self._began
        self.stack = innermost(self._task.get_coro())[_OWN_FRAMES:]
        self._task.cancel()

    def cancel(self) -> None:
        self._timer.cancel()


def timeout_of(deadline: Deadline, outcome: StepOutcome) -> StepOutcome:
    """The error of a coroutine that ended because of its deadline; what it raised is in `after`."""
    assert outcome.error is not None
    details = {
        "timeout_seconds": deadline.limit,
        "run_seconds": round(deadline.run_seconds, 3),
        "stack": "\n".join(deadline.stack),
        "after": outcome.error.message[:500],
    }
    error = StepError(
        message=f"the step ran for longer than {deadline.limit:g} s and was cancelled",
        error_type=ErrorType.TIMEOUT,
        error_code="TIMEOUT",
        retryable=True,
        metadata=msgspec.Raw(encode(details)),
    )
    return StepOutcome(error=error, timed_out=True)
