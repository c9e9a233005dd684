"""The class that is told of fast domain events."""

import inspect
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any, Protocol

from tasker_mp.domain_events.model import InProcessDomainEvent

log = logging.getLogger("tasker_mp.domain_events")

DomainEventCallback = Callable[[InProcessDomainEvent], None]
ErrorCallback = Callable[[Exception], None]


class EventSource(Protocol):
    """Something that calls back for every event."""

    def on_event(self, callback: DomainEventCallback) -> None: ...


class BaseSubscriber(ABC):
    """Extend it in a handler package, name the events, and handle them.

    It runs in the supervisor's process, in one thread that all subscribers share, after the
    results that the events are about are committed. What it raises is logged and hurts nobody. It
    shares the interpreter with the supervisor: it may wait (for a web hook), it must not compute.
    """

    _started: object = None  # another one with each start; a subclass need not call __init__
    _subscriptions: tuple[str, ...] = ()

    def __init__(self) -> None:  # noqa: B027  a subclass may call it
        """Takes no arguments, unless an instance is registered."""

    @classmethod
    @abstractmethod
    def subscribes_to(cls) -> list[str]:
        """Names of events; `*` stands for any text: `["order.completed", "payment.*"]`."""

    @abstractmethod
    def handle(self, event: dict[str, Any]) -> None:
        """The event's message: `event_id`, `event_name`, `metadata`, `payload`, …; a copy."""

    def before_handle(self, event: dict[str, Any]) -> bool:
        """False skips the event."""
        return True

    def after_handle(self, event: dict[str, Any]) -> None:  # noqa: B027
        """The event has been handled."""

    def on_handle_error(self, event: dict[str, Any], error: Exception) -> None:  # noqa: B027
        """One of the other hooks has raised; it is logged already."""

    @property
    def active(self) -> bool:
        """Whether it is started."""
        return self._started is not None

    @property
    def subscriptions(self) -> list[str]:
        """The patterns that it was started with; empty while it is not."""
        return list(self._subscriptions)

    def matches(self, event_name: str) -> bool:
        """Whether one of the patterns covers this name."""
        return _covers(_patterns(self), event_name)

    def start(self, poller: EventSource) -> None:
        """Have every event of `poller` that matches handled; harmless a second time. `TypeError`
        where it cannot be called as it is defined."""
        if self.active:
            return
        if inspect.iscoroutinefunction(self.handle):
            raise TypeError("handle must be a plain function: subscribers run in a thread")
        patterns, started = _patterns(self), object()
        self._started, self._subscriptions = started, patterns

        def handle_matching(event: InProcessDomainEvent) -> None:
            # A poller keeps its callbacks: this one must not outlive a stop.
            if self._started is started and _covers(patterns, event.event_name):
                self.handle_event_safely(event.copy_of_document())

        poller.on_event(handle_matching)

    def stop(self) -> None:
        """Handle nothing any more."""
        self._started, self._subscriptions = None, ()

    def handle_event_safely(self, event: dict[str, Any]) -> None:
        """All hooks in their order; never raises, whatever they do."""
        if not self.active:
            return
        try:
            if self.before_handle(event):
                self.handle(event)
                self.after_handle(event)
        except BaseException as error:
            self._failed(event, error)

    def _failed(self, event: dict[str, Any], error: BaseException) -> None:
        name, reason = type(self).__qualname__, f"{type(error).__name__}: {error}"
        log.error("subscriber %s failed on %s: %s", name, event.get("event_name"), reason)
        reported = error if isinstance(error, Exception) else RuntimeError(reason)
        try:
            self.on_handle_error(event, reported)
        except BaseException as second:
            log.error("%s.on_handle_error raised %s: %s", name, type(second).__name__, second)


def _patterns(subscriber: BaseSubscriber) -> tuple[str, ...]:
    patterns = subscriber.subscribes_to()
    if isinstance(patterns, str):  # whose letters would be the patterns
        raise TypeError(f"subscribes_to must return a list of names, not the text {patterns!r}")
    return tuple(patterns)


def _covers(patterns: tuple[str, ...], name: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
