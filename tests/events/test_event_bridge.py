"""The in-process bus: who is told, in what order, and what a bad listener cannot do."""

import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from tasker_mp.event_bridge import EventBridge, EventNames
from tasker_mp.handler import StepHandler
from tasker_mp.registry import HandlerRegistry
from tasker_mp.step_execution_subscriber import StepExecutionSubscriber

COMPLETION = {"event_id": "e", "task_uuid": "t", "step_uuid": "s", "success": True}


@pytest.fixture
def bridge() -> Iterator[EventBridge]:
    EventBridge.reset_instance()
    bridge = EventBridge.instance()
    bridge.start()
    yield bridge
    EventBridge.reset_instance()


def test_there_is_one_bridge_a_process_until_it_is_reset(bridge: EventBridge) -> None:
    assert EventBridge.instance() is bridge
    EventBridge.reset_instance()
    assert EventBridge.instance() is not bridge
    assert not bridge.is_active


def test_listeners_are_called_in_the_order_they_came_with_all_that_is_published(
    bridge: EventBridge,
) -> None:
    seen: list[Any] = []
    bridge.subscribe("mine", lambda *a, **k: seen.append(("first", a, k)))
    bridge.subscribe("mine", lambda *a, **k: seen.append(("second", a, k)))
    bridge.publish("mine", 1, two=2)
    bridge.publish("another")
    assert seen == [("first", (1,), {"two": 2}), ("second", (1,), {"two": 2})]


def test_a_listener_comes_and_goes(bridge: EventBridge) -> None:
    seen: list[int] = []
    assert not bridge.wants("mine")
    bridge.subscribe("mine", seen.append)
    bridge.subscribe_once("mine", seen.extend)
    assert (bridge.wants("mine"), bridge.listener_count("mine")) == (True, 2)
    assert bridge.listeners("mine") == [seen.append, seen.extend]
    bridge.unsubscribe("mine", seen.append)
    bridge.publish("mine", [1, 2])
    assert not bridge.wants("mine"), "the other one listened once"
    bridge.unsubscribe("mine", seen.append)
    bridge.publish("mine", [3])
    assert seen == [1, 2]


def test_a_bridge_that_is_not_started_drops_with_a_warning(
    bridge: EventBridge, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[int] = []
    bridge.subscribe("mine", seen.append)
    bridge.stop()
    bridge.stop()
    bridge.publish("mine", 1)
    assert "not started: mine is dropped" in caplog.text
    bridge.start()
    bridge.publish("mine", 2)
    assert seen == [], "stopping forgets the listeners"


def test_the_schema_knows_the_engines_events_and_those_that_are_registered(
    bridge: EventBridge,
) -> None:
    names = {v for k, v in vars(EventNames).items() if not k.startswith("_")}
    assert set(bridge.event_schema) == names
    bridge.register_event("mine", "int")
    bridge.event_schema.clear()
    assert bridge.event_schema["mine"] == "int"


@pytest.mark.parametrize("given", ["dict", "keywords", "object"])
def test_an_incomplete_completion_names_what_it_lacks(bridge: EventBridge, given: str) -> None:
    name, partial = EventNames.STEP_COMPLETION_SENT, {"task_uuid": "t", "success": False}

    def publish(fields: dict[str, Any]) -> None:
        if given == "keywords":
            bridge.publish(name, **fields)
        else:
            bridge.publish(name, fields if given == "dict" else SimpleNamespace(**fields))

    with pytest.raises(ValueError, match=r"^the completion lacks event_id, step_uuid$"):
        publish(partial)
    with pytest.raises(ValueError, match="event_id, task_uuid, step_uuid, success"):
        publish({})
    publish(COMPLETION)


@pytest.mark.parametrize("kind", [RuntimeError, SystemExit])
def test_a_listener_that_raises_hurts_nobody_and_is_told_of(
    bridge: EventBridge, kind: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[Any] = []

    def bad(_: int) -> None:
        raise kind("broken")

    bridge.subscribe("mine", bad)
    bridge.subscribe("mine", seen.append)
    bridge.subscribe(EventNames.BRIDGE_ERROR, lambda event, error: seen.append((event, error)))
    bridge.publish("mine", 1)
    (event, error), after = seen
    assert (event, type(error), after) == ("mine", kind, 1)
    assert f"of mine raised {kind.__name__}: broken" in caplog.text


def test_failures_over_failures_come_to_an_end(
    bridge: EventBridge, caplog: pytest.LogCaptureFixture
) -> None:
    calls: list[str] = []

    def bad(*_: Any) -> None:
        raise RuntimeError("broken")

    def again(event: str, _: Exception) -> None:
        calls.append(event)
        bridge.publish("mine")  # which fails once more
        raise RuntimeError("so is this")

    bridge.subscribe("mine", bad)
    bridge.subscribe(EventNames.BRIDGE_ERROR, again)
    bridge.publish("mine")
    assert calls == ["mine"]
    assert len(caplog.records) == 3
    bridge.publish("mine")
    assert calls == ["mine", "mine"], "the next failure is told again"


def test_many_threads_may_come_and_go(bridge: EventBridge) -> None:
    counts = [0] * 8

    def work(index: int) -> None:
        def listener() -> None:
            counts[index] += 1

        for _ in range(200):
            bridge.subscribe(f"of.{index}", listener)
            bridge.publish(f"of.{index}")
            bridge.unsubscribe(f"of.{index}", listener)

    threads = [threading.Thread(target=work, args=(index,)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts == [200] * 8


def test_a_handler_that_is_registered_is_told_of(bridge: EventBridge) -> None:
    class Pay(StepHandler):
        def call(self, context: Any) -> None:
            """Nothing."""

    registered: list[tuple[str, type]] = []
    bridge.subscribe(EventNames.HANDLER_REGISTERED, lambda *args: registered.append(args))
    HandlerRegistry(["no_package"]).register("pay", Pay)
    assert registered == [("pay", Pay)]


def test_the_step_subscriber_counts_completions_while_it_listens(bridge: EventBridge) -> None:
    subscriber = StepExecutionSubscriber(bridge, None, "w-1")
    assert (subscriber.worker_id, subscriber.is_active) == ("w-1", False)
    subscriber.start()
    subscriber.start()
    bridge.publish(EventNames.STEP_COMPLETION_SENT, COMPLETION)
    bridge.publish(EventNames.STEP_COMPLETION_SENT, COMPLETION | {"success": False})
    bridge.publish(EventNames.STEP_COMPLETION_SENT, SimpleNamespace(**COMPLETION))
    subscriber.stop()
    bridge.publish(EventNames.STEP_COMPLETION_SENT, COMPLETION)
    assert subscriber.stats == {"processed": 3, "succeeded": 2, "failed": 1}
