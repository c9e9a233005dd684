"""Counts on the bus what became of the steps of this process."""

from collections.abc import Mapping
from typing import Any

from tasker_mp.event_bridge import EventBridge, EventNames


class StepExecutionSubscriber:
    """Listens from `start` to `stop`; only completions that were sent count.

    The handlers themselves are run by the worker; `handler_registry` is kept for whoever asks.
    """

    def __init__(
        self, event_bridge: EventBridge, handler_registry: object = None, worker_id: str = ""
    ) -> None:
        self.handler_registry = handler_registry
        self._bridge = event_bridge
        self._worker_id = worker_id
        self._active = False
        self._succeeded = 0
        self._failed = 0

    def start(self) -> None:
        """Harmless a second time."""
        if not self._active:
            self._bridge.subscribe(EventNames.STEP_COMPLETION_SENT, self._count)
            self._active = True

    def stop(self) -> None:
        """The counts stay."""
        if self._active:
            self._bridge.unsubscribe(EventNames.STEP_COMPLETION_SENT, self._count)
            self._active = False

    @property
    def is_active(self) -> bool:
        return self._active

    @property
    def worker_id(self) -> str:
        return self._worker_id

    @property
    def stats(self) -> dict[str, int]:
        """`processed`, and of these `succeeded` and `failed`."""
        return {
            "processed": self._succeeded + self._failed,
            "succeeded": self._succeeded,
            "failed": self._failed,
        }

    def _count(self, completion: Any) -> None:
        known = isinstance(completion, Mapping)
        success = completion["success"] if known else completion.success
        self._succeeded += bool(success)
        self._failed += not success
