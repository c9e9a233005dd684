"""Forces the order in which a worker's results and its death are noticed, and logs it."""

import asyncio
import functools
import selectors
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from points import Order
from strike import LOG, REACHED

_Ready = list[tuple[selectors.SelectorKey, int]]
_Kind = Literal["results", "death", "other"]
_WAIT = 0.0005

_RANKS: dict[Order, dict[_Kind, int]] = {
    "results first": {"other": 0, "results": 1, "death": 2},
    "deaths first": {"other": 0, "death": 1, "results": 2},
}


class ForcedOrder:
    """A loop's `select` that keeps results back until the worker that is killed `at` a point is
    found dead in the same call; then sorts."""

    def __init__(self, select: Callable[[float | None], _Ready], order: Order, at: str) -> None:
        self._select = select
        self._order = order
        self._at = Path(REACHED, at)
        self._done = False

    def __call__(self, timeout: float | None = None) -> _Ready:
        ready = self._select(timeout)
        if self._done:
            return ready
        kinds = {_kind(event) for event in ready if _pid(event) == self._victim()}
        if {"results", "death"} <= kinds:
            self._done = True
            ranks = _RANKS[self._order]
            ready.sort(key=lambda event: ranks[_kind(event)])
            seen = [_kind(event) for event in ready if _pid(event) == self._victim()]
            note(f"ready {' '.join(seen)}")
            return ready
        kept = [event for event in ready if _kind(event) == "other"]
        if ready and not kept:
            time.sleep(_WAIT)  # what is kept back is ready again at once
        return kept

    def _victim(self) -> int | None:
        return int(text) if self._at.exists() and (text := self._at.read_text()) else None


def force(order: Order, at: str) -> None:
    """Have the running loop notice things in `order`."""
    selector: Any = asyncio.get_running_loop()._selector  # type: ignore[attr-defined]
    selector.select = ForcedOrder(selector.select, order, at)


def log_calls(owner: type, name: str, at: str) -> None:
    """Log when `owner.name(worker)` is called for the worker that was killed."""
    original = getattr(owner, name)

    @functools.wraps(original)
    def called(self: Any, worker: Any) -> Any:
        path = Path(REACHED, at)
        if path.exists() and path.read_text() == str(worker.pid):
            note(f"called {name}")
        return original(self, worker)

    setattr(owner, name, called)


def note(line: str) -> None:
    with Path(LOG).open("a") as log:
        log.write(f"{line}\n")


def _kind(event: tuple[selectors.SelectorKey, int]) -> _Kind:
    match _callback(event):
        case "_on_results":
            return "results"
        case "_on_death":
            return "death"
        case _:
            return "other"


def _callback(event: tuple[selectors.SelectorKey, int]) -> str:
    return getattr(getattr(_handle(event), "_callback", None), "__name__", "")


def _pid(event: tuple[selectors.SelectorKey, int]) -> int | None:
    if _kind(event) == "other":
        return None
    pid: int = _handle(event)._args[0].pid
    return pid


def _handle(event: tuple[selectors.SelectorKey, int]) -> Any:
    """The reader of a descriptor, as asyncio keeps it."""
    data = event[0].data
    return data[0] if isinstance(data, tuple) else None
