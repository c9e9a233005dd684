"""Tells a project's subscribers of fast events, beside the loop and never in it."""

import asyncio
import importlib
import logging
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import structlog

from tasker_mp import logs
from tasker_mp.domain_events.discovery import register_subscribers
from tasker_mp.domain_events.poller import InProcessDomainEventPoller
from tasker_mp.domain_events.subscriber_registry import SubscriberRegistry
from tasker_mp.errors import EngineError
from tasker_mp.event_bridge import EventBridge, EventNames
from tasker_mp.log_budget import Budget
from tasker_mp.log_line import SEVERITIES

log = structlog.get_logger("tasker_mp.announcer")

_WARNING_SECONDS = 10.0
_METRICS_SECONDS = 1.0
_STOP_LIMIT = 2.0
_LINES = 100


class Announcer:
    """One daemon thread where the project has subscribers; else nothing is imported or kept.

    The project's code is below `root`.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._modules: tuple[str, ...] = ()
        self._poller: InProcessDomainEventPoller | None = None
        self._warned_at = -_WARNING_SECONDS
        self._warned_of = 0
        self.subscribers = 0
        """How many are started."""

    @property
    def active(self) -> bool:
        """Whether there is anybody to tell."""
        return self._poller is not None

    @property
    def dropped(self) -> int:
        """Events that nobody was told of, since the subscribers were too slow."""
        return 0 if self._poller is None else self._poller.stats["events_lagged"]

    def expect(self, modules: Sequence[str]) -> None:
        """Keep what is announced from now on for the subscribers in these modules, if any."""
        if modules:
            self._modules = tuple(modules)
            self._poller = InProcessDomainEventPoller()

    def start(self) -> None:
        """Load the subscribers and tell them. Once stdout is free: where that is a pipe nobody
        reads it any more, so what they print goes to stderr from now on."""
        if self._poller is not None:
            sys.stdout = sys.stderr
            self._poller.start(self._load)

    def announce(self, messages: Iterable[bytes]) -> None:
        """Tell of events whose results are committed; never waits."""
        if self._poller is None:
            return
        for message in messages:
            self._poller.offer(message)
        if self.dropped > self._warned_of:
            self._warn()

    def _warn(self) -> None:
        now = time.monotonic()
        if now - self._warned_at >= _WARNING_SECONDS:
            lost = self.dropped - self._warned_of
            self._warned_at, self._warned_of = now, self.dropped
            log.warning("events dropped: the subscribers are too slow", events=lost)

    async def watch(
        self, metrics: Callable[[], dict[str, Any]], trouble: Callable[[], str | None]
    ) -> None:
        """Put `poller.metrics` on this process's bus each second, and `poller.error` when claiming
        meets trouble, in the subscribers' thread and only where somebody listens."""
        bridge, known = EventBridge.instance(), trouble()
        while self._poller is not None:
            await asyncio.sleep(_METRICS_SECONDS)
            if bridge.wants(EventNames.POLLER_METRICS):
                self._publish(bridge, EventNames.POLLER_METRICS, metrics())
            before, known = known, trouble()
            if known is not None and before is None:
                self._publish(bridge, EventNames.POLLER_ERROR, EngineError(known))

    def _publish(self, bridge: EventBridge, event: str, payload: object) -> None:
        if self._poller is not None:
            self._poller.offer(lambda: bridge.publish(event, payload))

    async def stop(self) -> None:
        """Have what waits told, for a while; a subscriber that hangs is left behind."""
        poller, self._poller = self._poller, None
        if poller is None:
            return
        limit = time.monotonic() + _STOP_LIMIT
        while poller.waiting and poller.is_running and time.monotonic() < limit:
            await asyncio.sleep(0.01)
        left = max(0.1, limit - time.monotonic())
        if not await asyncio.to_thread(poller.stop, left):
            log.warning("left a subscriber behind that does not return", waiting=poller.waiting)
        EventBridge.instance().stop()

    # -- in the thread ------------------------------------------------------------------------

    def _load(self) -> None:
        logging.getLogger().addHandler(_ToLog())
        EventBridge.instance().start()
        if str(self._root) not in sys.path:
            sys.path.insert(0, str(self._root))
        modules = []
        for name in self._modules:
            try:
                modules.append(importlib.import_module(name))
            except BaseException as error:
                reason = f"{type(error).__name__}: {error}"
                log.error("subscribers cannot be loaded", module=name, error=reason)
        register_subscribers(modules)
        if self._poller is not None:
            self.subscribers = SubscriberRegistry.instance().start_all(self._poller)
            log.info("subscribers started", count=self.subscribers)


class _ToLog(logging.Handler):
    """What subscribers say through the standard library, as lines of the supervisor's log: not
    more than so many a second."""

    def __init__(self) -> None:
        super().__init__()
        self._budget = Budget(_LINES)

    def emit(self, record: logging.LogRecord) -> None:
        if not self._budget.allows(time.monotonic()):
            return
        fields: dict[str, Any] = {"logger": record.name}
        if dropped := self._budget.take_dropped():
            fields["lines_dropped_before"] = dropped
        if record.exc_info:
            fields["exception"] = _formatter.formatException(record.exc_info)
        level = record.levelname.lower()
        logs.write(level if level in SEVERITIES else "info", record.getMessage(), fields)


_formatter = logging.Formatter()
