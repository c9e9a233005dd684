"""Publishers and subscribers by name, and how they are found in the handler packages."""

from pathlib import Path

import pytest
from listeners import Collector, Payments

from tasker_mp.domain_events import (
    BasePublisher,
    InProcessDomainEventPoller,
    PublisherRegistry,
    SubscriberRegistry,
)
from tasker_mp.domain_events.discovery import register_publishers, subscriber_modules


class Nobody(Collector):
    def __init__(self) -> None:
        raise RuntimeError("no credentials")


def test_subscribers_are_registered_and_started_together(
    poller: InProcessDomainEventPoller, caplog: pytest.LogCaptureFixture
) -> None:
    registry = SubscriberRegistry.instance()
    assert registry is SubscriberRegistry.instance()
    registry.register(Payments)
    registry.register(Nobody)
    registry.register_instance(Collector(), "all")
    with pytest.raises(ValueError, match="not a subclass of BaseSubscriber"):
        registry.register(dict)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="not an instance of BaseSubscriber"):
        registry.register_instance(Collector)  # type: ignore[arg-type]
    assert registry.list_registered() == {"classes": ["Payments", "Nobody"], "instances": ["all"]}
    assert registry.start_all(poller) == 2
    assert "subscriber Nobody cannot be started: RuntimeError: no credentials" in caplog.text
    assert registry.stats()["subscriptions"][0] == {
        "class": "Payments",
        "patterns": ["payment.*", "*.refunded"],
        "active": True,
    }
    assert (registry.stop_all(), registry.active_count) == (2, 0)
    registry.clear()
    assert registry.list_registered() == {"classes": [], "instances": []}


class Mail(BasePublisher):
    publisher_name = "mail"


def test_publishers_are_registered_by_name(caplog: pytest.LogCaptureFixture) -> None:
    registry, mail = PublisherRegistry.instance(), Mail()
    assert registry is PublisherRegistry.instance()
    registry.register(mail)
    registry.register(mail, "post")
    assert registry.list_publishers() == ["mail", "post"]
    assert registry.get("mail") is mail
    assert registry.get("fax") is None
    assert registry.get_or_default("fax").publisher_name == "default"
    assert registry.validate_required(["mail", "fax"]) == ["fax"]
    registry.register(Mail())
    assert "publisher mail is replaced" in caplog.text
    with pytest.raises(ValueError, match="not an instance of BasePublisher"):
        registry.register(Mail)  # type: ignore[arg-type]
    registry.freeze()
    assert registry.is_frozen
    for refused in (lambda: registry.register(mail), registry.clear):
        with pytest.raises(RuntimeError, match="frozen"):
            refused()
    registry.unfreeze()
    registry.clear()
    assert registry.list_publishers() == []


def test_what_the_handler_packages_define_is_found(project: Path) -> None:
    for name in ("plain", "publishers", "wiring"):
        __import__(f"eventful.{name}")
    problems = register_publishers(["eventful"])
    assert PublisherRegistry.instance().list_publishers() == ["fax", "mail"]
    assert len(problems) == 2
    assert problems[0] == (
        "publisher eventful.publishers.Broken cannot be created: RuntimeError: no paper"
    )
    assert problems[1] == (
        "the publisher_name 'mail' of eventful.publishers.Other is taken by "
        "eventful.publishers.Mail; rename one of them"
    )
    assert subscriber_modules(["eventful"]) == ["eventful.subscribers", "eventful.wiring"]
    assert subscriber_modules(["event"]) == []
