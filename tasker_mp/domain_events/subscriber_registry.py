"""The subscribers of this process."""

import logging
import sys
from collections.abc import Callable
from typing import Any, ClassVar

from tasker_mp.domain_events.subscriber import BaseSubscriber, EventSource

log = logging.getLogger("tasker_mp.domain_events")


class SubscriberRegistry:
    """`instance()` is the process's own; the supervisor fills and starts it.

    `modules` are those that have registered something by themselves, in the order of doing so.
    """

    _instance: ClassVar["SubscriberRegistry | None"] = None

    def __init__(self) -> None:
        self.modules: dict[str, None] = {}
        self._classes: dict[str, type[BaseSubscriber]] = {}
        self._instances: dict[str, BaseSubscriber] = {}
        self._started: list[BaseSubscriber] = []

    @classmethod
    def instance(cls) -> "SubscriberRegistry":
        if SubscriberRegistry._instance is None:
            SubscriberRegistry._instance = cls()
        return SubscriberRegistry._instance

    @classmethod
    def reset(cls) -> None:
        """Stop and forget the process's registry; the next `instance()` is empty."""
        if SubscriberRegistry._instance is not None:
            SubscriberRegistry._instance.stop_all()
        SubscriberRegistry._instance = None

    def register(self, subscriber_class: type[BaseSubscriber]) -> None:
        """A class, instantiated without arguments when the subscribers start; `ValueError` for
        what is no subclass of `BaseSubscriber`."""
        if not (
            isinstance(subscriber_class, type) and issubclass(subscriber_class, BaseSubscriber)
        ):
            raise ValueError(f"{subscriber_class!r} is not a subclass of BaseSubscriber")
        self._classes[subscriber_class.__name__] = subscriber_class
        self._note_caller()

    def register_instance(self, subscriber: BaseSubscriber, name: str | None = None) -> None:
        """One that was made with settings of its own, as `name` or else its class's name."""
        if not isinstance(subscriber, BaseSubscriber):
            raise ValueError(f"{subscriber!r} is not an instance of BaseSubscriber")
        self._instances[name or type(subscriber).__name__] = subscriber
        self._note_caller()

    def _note_caller(self) -> None:
        """Whoever imports that module has the same subscribers."""
        self.modules[sys._getframe(2).f_globals.get("__name__", "")] = None

    def knows(self, subscriber_class: type[BaseSubscriber]) -> bool:
        """Whether the class, or an instance of it, is registered."""
        instances = {type(instance) for instance in self._instances.values()}
        return subscriber_class in instances or subscriber_class in self._classes.values()

    def start_all(self, poller: EventSource) -> int:
        """Start every subscriber on `poller`; how many. One that cannot be is logged."""
        self.stop_all()
        for name, cls in self._classes.items():
            self._start(name, cls, poller)
        for name, instance in self._instances.items():
            self._start(name, lambda: instance, poller)  # noqa: B023  called at once
        return len(self._started)

    def _start(self, name: str, make: Callable[[], BaseSubscriber], poller: EventSource) -> None:
        try:
            subscriber = make()
            subscriber.start(poller)
        except BaseException as error:
            log.error("subscriber %s cannot be started: %s: %s", name, type(error).__name__, error)
        else:
            self._started.append(subscriber)

    def stop_all(self) -> int:
        """Stop those that are started; how many."""
        stopped = 0
        for subscriber in self._started:
            try:
                subscriber.stop()
                stopped += 1
            except BaseException as error:
                name, reason = type(subscriber).__qualname__, f"{type(error).__name__}: {error}"
                log.error("subscriber %s cannot be stopped: %s", name, reason)
        self._started.clear()
        return stopped

    def list_registered(self) -> dict[str, list[str]]:
        """The names, under `classes` and `instances`."""
        return {"classes": list(self._classes), "instances": list(self._instances)}

    @property
    def active_count(self) -> int:
        return len(self._started)

    def stats(self) -> dict[str, Any]:
        """How many are registered and active, and the patterns of those that are started."""
        return {
            "registered_classes": len(self._classes),
            "registered_instances": len(self._instances),
            "active_subscribers": len(self._started),
            "subscriptions": [
                {
                    "class": type(subscriber).__name__,
                    "patterns": subscriber.subscriptions,
                    "active": subscriber.active,
                }
                for subscriber in self._started
            ],
        }

    def clear(self) -> None:
        """Stop and forget all subscribers."""
        self.stop_all()
        self.modules.clear()
        self._classes.clear()
        self._instances.clear()
