"""Subscribers: what reaches them, in which thread, and what a bad or slow one cannot do."""

import threading
from typing import Any

import pytest
from listeners import LIMIT, Collector, Payments, eventually, message

from tasker_mp.domain_events import InProcessDomainEvent, InProcessDomainEventPoller


class Broken(Collector):
    def handle(self, event: dict[str, Any]) -> None:
        event["payload"].clear()
        raise SystemExit("no more")

    def on_handle_error(self, event: dict[str, Any], error: Exception) -> None:
        super().on_handle_error(event, error)
        raise RuntimeError("not even this")


@pytest.mark.parametrize(
    ("name", "matches"),
    [
        ("payment.done", True),
        ("payment.", True),
        ("order.refunded", True),
        ("payments", False),
        ("Payment.done", False),
        ("order.refunded.twice", False),
    ],
)
def test_a_pattern_covers_names(name: str, matches: bool) -> None:
    assert Payments().matches(name) is matches


def test_a_subscriber_is_told_of_what_matches_once_and_only_while_it_is_active(
    poller: InProcessDomainEventPoller,
) -> None:
    payments, all_events = Payments(), Collector()
    for subscriber in (payments, all_events):
        subscriber.start(poller)
        subscriber.start(poller)
    assert payments.active
    assert payments.subscriptions == ["payment.*", "*.refunded"]
    poller.start()
    poller.offer(message("payment.refunded", sum=1))  # both patterns match
    poller.offer(message("order.made"))
    eventually(lambda: len(all_events.events) == 2)
    (event,) = payments.events
    assert event["payload"] == {"sum": 1}
    assert event["metadata"]["extra"] == 1
    assert payments.threads == all_events.threads != {threading.get_ident()}
    payments.stop()
    poller.offer(message("payment.done"))
    eventually(lambda: len(all_events.events) == 3)
    assert len(payments.events) == 1
    assert payments.subscriptions == []


def test_a_subscriber_that_was_stopped_is_told_once_when_it_starts_again(
    poller: InProcessDomainEventPoller,
) -> None:
    collector = Collector()
    collector.start(poller)
    collector.stop()
    collector.start(poller)
    poller.start()
    poller.offer(message("a"))
    last = Collector()
    last.start(poller)
    poller.offer(message("b"))
    eventually(lambda: [e["event_name"] for e in last.events][-1:] == ["b"])
    assert [event["event_name"] for event in collector.events] == ["a", "b"]


def test_a_subscriber_that_could_not_be_told_is_refused() -> None:
    class Async(Collector):
        async def handle(self, event: dict[str, Any]) -> None:  # type: ignore[override]
            pass

    class Text(Collector):
        @classmethod
        def subscribes_to(cls) -> Any:
            return "payment.*"

    for subscriber, reason in ((Async(), "plain function"), (Text(), "not the text 'payment")):
        with pytest.raises(TypeError, match=reason):
            subscriber.start(InProcessDomainEventPoller())
        assert not subscriber.active


def test_a_broken_subscriber_hurts_nobody(
    poller: InProcessDomainEventPoller, caplog: pytest.LogCaptureFixture
) -> None:
    broken, good = Broken(), Collector()
    broken.start(poller)
    good.start(poller)
    poller.start()
    poller.offer(b"{}")  # no event at all
    poller.offer(message("a", kept=True))
    poller.offer(message("b"))
    eventually(lambda: len(good.events) == 2)
    assert good.events[0]["payload"] == {"kept": True}, "each has a copy of its own"
    assert broken.errors == ["a: SystemExit: no more", "b: SystemExit: no more"]
    assert "subscriber Broken failed on a: SystemExit: no more" in caplog.text
    assert "on_handle_error raised RuntimeError: not even this" in caplog.text
    assert poller.is_running


def test_the_hooks_of_a_subscriber_frame_its_handling() -> None:
    calls: list[str] = []

    class Framed(Collector):
        def before_handle(self, event: dict[str, Any]) -> bool:
            calls.append("before")
            return bool(event["payload"])

        def after_handle(self, event: dict[str, Any]) -> None:
            calls.append("after")

    framed = Framed()
    framed.handle_event_safely({"payload": {"a": 1}})
    assert calls == [], "not started"
    framed.start(InProcessDomainEventPoller())
    framed.handle_event_safely({"payload": {"a": 1}})
    framed.handle_event_safely({"payload": {}})
    assert calls == ["before", "after", "before"]
    assert len(framed.events) == 1


def test_a_slow_subscriber_costs_the_oldest_events_and_never_who_offers_them() -> None:
    poller = InProcessDomainEventPoller(capacity=3)
    held, seen = threading.Event(), list[str]()

    def slow(event: InProcessDomainEvent) -> None:
        seen.append(event.event_name)
        held.wait(LIMIT)

    poller.on_event(slow)
    poller.start()
    poller.offer(message("first"))
    eventually(lambda: seen)
    for number in range(10):
        poller.offer(message(str(number)))
    assert poller.waiting == 3
    assert poller.stats["events_lagged"] == 7
    held.set()
    eventually(lambda: len(seen) == 4)
    assert seen == ["first", "7", "8", "9"]
    assert poller.stop(LIMIT)
    assert poller.stats["events_processed"] == 4


def test_a_poller_runs_once_and_its_errors_can_be_heard(
    poller: InProcessDomainEventPoller,
) -> None:
    heard: list[str] = []
    seen: list[str] = []

    def bad(event: InProcessDomainEvent) -> None:
        raise SystemExit(event.event_name)

    poller.on_event(bad)
    poller.on_event(lambda event: seen.append(event.event_name))
    poller.on_error(bad)  # type: ignore[arg-type]
    poller.on_error(lambda error: heard.append(type(error).__name__))
    poller.start()
    with pytest.raises(RuntimeError, match="running already"):
        poller.start()
    poller.offer(b"no JSON")
    poller.offer(message("a"))
    eventually(lambda: seen)
    assert heard == ["DecodeError", "RuntimeError"]
