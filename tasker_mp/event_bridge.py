"""An in-process bus: what happens in this process, told at once to whoever listens."""

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final

log = logging.getLogger("tasker_mp.event_bridge")

Listener = Callable[..., Any]

COMPLETION_FIELDS: Final = ("event_id", "task_uuid", "step_uuid", "success")


class EventNames:
    """What the engine itself publishes; the first five in workers, the last two in the
    supervisor, `bridge.error` in both."""

    STEP_EXECUTION_RECEIVED = "step.execution.received"
    STEP_COMPLETION_SENT = "step.completion.sent"
    STEP_CHECKPOINT_YIELD = "step.checkpoint_yield.sent"
    HANDLER_REGISTERED = "handler.registered"
    HANDLER_ERROR = "handler.error"
    BRIDGE_ERROR = "bridge.error"
    POLLER_METRICS = "poller.metrics"
    POLLER_ERROR = "poller.error"


_SCHEMA: Final = {
    EventNames.STEP_EXECUTION_RECEIVED: "StepContext",
    EventNames.STEP_COMPLETION_SENT: "dict[str, Any]",
    EventNames.STEP_CHECKPOINT_YIELD: "dict[str, Any]",
    EventNames.HANDLER_REGISTERED: "tuple[str, type]",
    EventNames.HANDLER_ERROR: "tuple[StepContext, Exception]",
    EventNames.BRIDGE_ERROR: "tuple[str, Exception]",
    EventNames.POLLER_METRICS: "dict[str, Any]",
    EventNames.POLLER_ERROR: "Exception",
}


class EventBridge:
    """Calls listeners one after the other, in the thread that publishes; `instance()` is the
    process's own, which workers and the supervisor start before they load a project's code."""

    _instance: ClassVar["EventBridge | None"] = None

    def __init__(self) -> None:
        self._listeners: dict[str, tuple[Listener, ...]] = {}
        self._once: set[tuple[str, Listener]] = set()
        self._changing = threading.Lock()
        self._failing = threading.local()
        self._active = False
        self._schema = dict(_SCHEMA)

    @classmethod
    def instance(cls) -> "EventBridge":
        if EventBridge._instance is None:
            EventBridge._instance = cls()
        return EventBridge._instance

    @classmethod
    def reset_instance(cls) -> None:
        """Stop and forget the process's bridge; the next `instance()` has no listeners."""
        if EventBridge._instance is not None:
            EventBridge._instance.stop()
        EventBridge._instance = None

    def start(self) -> None:
        """Deliver from now on; harmless a second time."""
        self._active = True

    def stop(self) -> None:
        """Deliver nothing any more, and forget all listeners; harmless a second time."""
        with self._changing:
            self._active = False
            self._listeners, self._once = {}, set()

    @property
    def is_active(self) -> bool:
        return self._active

    # -- listeners ----------------------------------------------------------------------------

    def subscribe(self, event: str, handler: Listener) -> None:
        """Have `handler` called with whatever is published as `event`."""
        with self._changing:
            self._listeners = self._listeners | {event: (*self.listeners(event), handler)}

    def subscribe_once(self, event: str, handler: Listener) -> None:
        """The same, for the next time only."""
        with self._changing:
            self._once.add((event, handler))
        self.subscribe(event, handler)

    def unsubscribe(self, event: str, handler: Listener) -> None:
        """Harmless where it is not subscribed."""
        with self._changing:
            rest = tuple(known for known in self.listeners(event) if known != handler)
            others = {name: known for name, known in self._listeners.items() if name != event}
            self._listeners = others | ({event: rest} if rest else {})
            self._once.discard((event, handler))

    def listeners(self, event: str) -> list[Listener]:
        return list(self._listeners.get(event, ()))

    def listener_count(self, event: str) -> int:
        return len(self._listeners.get(event, ()))

    def wants(self, event: str) -> bool:
        """Whether anybody listens: ask before making what nobody would get."""
        return event in self._listeners

    @property
    def listening(self) -> bool:
        """Whether anybody listens to anything."""
        return bool(self._listeners)

    # -- events -------------------------------------------------------------------------------

    def register_event(self, event: str, payload: str = "Any") -> None:
        """Note an event of one's own, and what comes with it, in `event_schema`."""
        self._schema[event] = payload

    @property
    def event_schema(self) -> dict[str, str]:
        """What comes with each known event; a copy."""
        return dict(self._schema)

    def publish(self, event: str, *args: Any, **kwargs: Any) -> None:
        """Call the listeners. What one raises is logged, published as `bridge.error`, and keeps
        nothing from the others; `ValueError` for a completion that lacks a field."""
        if event == EventNames.STEP_COMPLETION_SENT:
            _require_complete(args[0] if args else kwargs)
        if not self._active:
            log.warning("the event bridge is not started: %s is dropped", event)
            return
        for listener in self._listeners.get(event, ()):
            if self._once and (event, listener) in self._once:
                self.unsubscribe(event, listener)
            try:
                listener(*args, **kwargs)
            except (Exception, SystemExit) as error:
                self._failed(event, listener, error)

    def _failed(self, event: str, listener: Listener, error: BaseException) -> None:
        name = getattr(listener, "__qualname__", repr(listener))
        log.error("listener %s of %s raised %s: %s", name, event, type(error).__name__, error)
        # What fails while a failure is told is only logged: telling that might go on for ever.
        if event == EventNames.BRIDGE_ERROR or getattr(self._failing, "told", False):
            return
        self._failing.told = True
        try:
            self.publish(EventNames.BRIDGE_ERROR, event, error)
        finally:
            self._failing.told = False


def _require_complete(completion: object) -> None:
    if isinstance(completion, Mapping):
        missing = [name for name in COMPLETION_FIELDS if completion.get(name) is None]
    else:
        missing = [name for name in COMPLETION_FIELDS if getattr(completion, name, None) is None]
    if missing:
        raise ValueError(f"the completion lacks {', '.join(missing)}")
