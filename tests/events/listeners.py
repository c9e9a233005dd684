"""Subscribers and messages for tests."""

import threading
import time
from collections.abc import Callable
from typing import Any

import msgspec

from tasker_mp.domain_events import BaseSubscriber

LIMIT = 5.0


def eventually(predicate: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + LIMIT
    while not (value := predicate()):
        assert time.monotonic() < deadline
        time.sleep(0.002)
    return value


def message(name: str, **payload: Any) -> bytes:
    metadata = {"task_uuid": "t", "correlation_id": "c", "fired_at": "now", "fired_by": "w"}
    return msgspec.json.encode(
        {
            "event_id": "e",
            "event_name": name,
            "event_version": "1.0",
            "metadata": metadata | {"extra": 1},
            "payload": payload,
        }
    )


class Collector(BaseSubscriber):
    patterns: tuple[str, ...] = ("*",)

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.errors: list[str] = []
        self.threads: set[int] = set()

    @classmethod
    def subscribes_to(cls) -> list[str]:
        return list(cls.patterns)

    def handle(self, event: dict[str, Any]) -> None:
        self.threads.add(threading.get_ident())
        self.events.append(event)

    def on_handle_error(self, event: dict[str, Any], error: Exception) -> None:
        self.errors.append(f"{event['event_name']}: {error}")


class Payments(Collector):
    patterns = ("payment.*", "*.refunded")
