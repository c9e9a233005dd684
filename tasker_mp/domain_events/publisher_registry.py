"""Publishers by the names that templates give them."""

import logging
from collections.abc import Sequence
from typing import ClassVar, Self

from tasker_mp.domain_events.publisher import BasePublisher, DefaultPublisher

log = logging.getLogger("tasker_mp.domain_events")


class PublisherRegistry:
    """`instance()` is the process's own; workers fill it from the handler packages."""

    _instance: ClassVar["PublisherRegistry | None"] = None

    def __init__(self) -> None:
        self._publishers: dict[str, BasePublisher] = {}
        self._default = DefaultPublisher()
        self._frozen = False

    @classmethod
    def instance(cls) -> "PublisherRegistry":
        if PublisherRegistry._instance is None:
            PublisherRegistry._instance = cls()
        return PublisherRegistry._instance

    @classmethod
    def reset(cls) -> None:
        """Forget the process's registry; the next `instance()` is empty."""
        PublisherRegistry._instance = None

    def register(self, publisher: BasePublisher, name: str | None = None) -> Self:
        """Let templates name `publisher` as `name`, or else as its `publisher_name`; the last one
        wins, with a warning. `RuntimeError` once frozen, `ValueError` for what is no publisher."""
        if self._frozen:
            raise RuntimeError("the publisher registry is frozen: register before freeze()")
        if not isinstance(publisher, BasePublisher):
            raise ValueError(f"{publisher!r} is not an instance of BasePublisher")
        known_as = name or publisher.publisher_name
        before = self._publishers.get(known_as)
        if before is not None and before is not publisher:
            log.warning("publisher %s is replaced by %s", known_as, type(publisher).__qualname__)
        self._publishers[known_as] = publisher
        return self

    def get(self, name: str) -> BasePublisher | None:
        return self._publishers.get(name)

    def get_or_default(self, name: str) -> BasePublisher:
        """The default publisher where there is none of this name."""
        return self._publishers.get(name, self._default)

    @property
    def default(self) -> BasePublisher:
        return self._default

    def knows(self, publisher_class: type[BasePublisher]) -> bool:
        """Whether an instance of the very class is registered, under whatever name."""
        return any(type(publisher) is publisher_class for publisher in self._publishers.values())

    def validate_required(self, names: Sequence[str]) -> list[str]:
        """Those of the names that nobody has registered."""
        return [name for name in names if name not in self._publishers]

    def freeze(self) -> None:
        """Refuse further registrations."""
        self._frozen = True

    def unfreeze(self) -> None:
        self._frozen = False

    @property
    def is_frozen(self) -> bool:
        return self._frozen

    def list_publishers(self) -> list[str]:
        return list(self._publishers)

    def clear(self) -> None:
        """Forget all publishers; `RuntimeError` once frozen."""
        if self._frozen:
            raise RuntimeError("the publisher registry is frozen: unfreeze() it to clear it")
        self._publishers.clear()
