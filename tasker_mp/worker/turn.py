"""Whose code the event loop is in at any moment: on the page before it is entered, off it after."""

import asyncio
import os
import time
from collections.abc import Callable, Coroutine, Generator
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Final

from tasker_mp.errors import EngineError
from tasker_mp.worker.page import WorkerPage

NUMBER: Final[ContextVar[int]] = ContextVar("tasker_mp_event", default=0)
"""The event that this code runs for; tasks that a handler starts inherit it."""

_process = os.getpid()


def _note_fork() -> None:
    global _process  # noqa: PLW0603 - asked for in every turn, and a system call each time
    _process = os.getpid()


os.register_at_fork(after_in_child=_note_fork)


class TaskExitError(EngineError):
    """A task that a handler started called `sys.exit()`; it must not take the worker along."""


class Holder:
    """The event whose code the event loop is in, as this process knows it."""

    def __init__(self, page: WorkerPage) -> None:
        self._page = page
        self._number = 0
        self._since_ns = 0
        self.longest_ns = 0
        """The longest stretch since somebody set this to 0."""

    @property
    def number(self) -> int:
        """0 where the loop is in nobody's code."""
        return self._number

    def enter(self, number: int) -> int:
        """Mark it; returns what it interrupts, since a task may be started eagerly."""
        outer, self._number = self._number, number
        self._since_ns = time.monotonic_ns()
        self._page.hold(number, self._since_ns)
        return outer

    def leave(self, outer: int) -> None:
        now = time.monotonic_ns()
        self.longest_ns = max(self.longest_ns, now - self._since_ns)
        self._number, self._since_ns = outer, now
        if outer:
            self._page.hold(outer, now)
        else:
            self._page.let_go()


class Turns(Coroutine[Any, Any, Any]):
    """A coroutine whose every stretch between two awaits is marked as its event's.

    `asyncio` asks a task's coroutine for more than it has to have: frames, for its stack.
    """

    def __init__(self, coroutine: Coroutine[Any, Any, Any], number: int, holder: Holder) -> None:
        self._coroutine = coroutine
        self._number = number
        self._holder = holder
        self._home = _process

    def send(self, value: Any) -> Any:
        return self._stretch(self._coroutine.send, value)

    def throw(
        self, typ: Any, val: BaseException | object = None, tb: TracebackType | None = None
    ) -> Any:
        error = val if isinstance(val, BaseException) else typ
        return self._stretch(self._coroutine.throw, error)

    def _stretch(self, go_on: Callable[[Any], Any], value: Any) -> Any:
        outer = self._holder.enter(self._number)
        try:
            return go_on(value)
        except (SystemExit, KeyboardInterrupt) as error:
            raise TaskExitError(f"{type(error).__name__}: {error}") from error
        finally:
            if _process != self._home:
                os._exit(0)  # a child that the handler forked and forgot to end
            self._holder.leave(outer)

    def close(self) -> None:
        self._coroutine.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._coroutine.__await__()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._coroutine, name)


def mark_turns(loop: asyncio.AbstractEventLoop, holder: Holder) -> None:
    """Have every task of this loop that is started for an event marked, by whoever starts it; and
    let none of them stop it: others run on it."""

    def make(loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> asyncio.Task[Any]:
        context = options.get("context")
        number = NUMBER.get() if context is None else context.get(NUMBER, 0)
        if number:
            coroutine = Turns(coroutine, number, holder)
        return asyncio.Task(coroutine, loop=loop, **options)

    leave = loop.stop

    def stop() -> None:
        if holder.number:  # in the words in which `asyncio.run` would tell of it
            raise RuntimeError("Event loop stopped before Future completed.")
        leave()

    loop.set_task_factory(make)
    loop.stop = stop  # type: ignore[method-assign]


def innermost(coroutine: Any) -> list[str]:
    """Where a suspended coroutine waits, as `file:line in name`, outermost first."""
    frames = []
    while coroutine is not None and (frame := getattr(coroutine, "cr_frame", None)) is not None:
        code = frame.f_code
        frames.append(f"{code.co_filename}:{frame.f_lineno} in {code.co_qualname}")
        coroutine = getattr(coroutine, "cr_await", None)
    return frames
