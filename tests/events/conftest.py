"""The registries of a process are its own: each test begins with empty ones."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from listeners import LIMIT

from tasker_mp.domain_events import (
    InProcessDomainEventPoller,
    PublisherRegistry,
    SubscriberRegistry,
)
from tasker_mp.event_bridge import EventBridge


@pytest.fixture(autouse=True)
def registries() -> Iterator[None]:
    yield
    SubscriberRegistry.reset()
    PublisherRegistry.reset()
    EventBridge.reset_instance()


@pytest.fixture
def poller() -> Iterator[InProcessDomainEventPoller]:
    poller = InProcessDomainEventPoller(capacity=100)
    yield poller
    assert poller.stop(LIMIT)


_PUBLISHERS = """
from tasker_mp.domain_events import BasePublisher, PublisherRegistry

class Mail(BasePublisher):
    publisher_name = "mail"

class Fax(BasePublisher):
    publisher_name = "fax"
    def __init__(self, number):
        pass

PublisherRegistry.instance().register(Fax(5))

class Parameterized(Fax):
    publisher_name = "parameterized"

class Broken(BasePublisher):
    publisher_name = "broken"
    def __init__(self):
        raise RuntimeError("no paper")

class Other(BasePublisher):
    publisher_name = "mail"

class _Private(BasePublisher):
    publisher_name = "private"

class NotYet(BasePublisher):
    pass
"""

_SUBSCRIBERS = """
import threading
from tasker_mp.domain_events import BaseSubscriber, SubscriberRegistry
from tasker_mp.event_bridge import EventBridge

seen, metrics = [], []

class Found(BaseSubscriber):
    @classmethod
    def subscribes_to(cls):
        return ["paid"]
    def handle(self, event):
        seen.append((type(self).__name__, event["payload"]["n"], threading.get_ident()))
        print("heard")

class Made(Found):
    def __init__(self, name):
        self.name = name

class Another(Made):
    pass

SubscriberRegistry.instance().register_instance(Made("x"))
EventBridge.instance().subscribe("poller.metrics", metrics.append)
EventBridge.instance().subscribe("poller.error", metrics.append)
"""

_WIRING = """
from eventful.subscribers import Another
from tasker_mp.domain_events import SubscriberRegistry

SubscriberRegistry.instance().register_instance(Another("y"))
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    package = tmp_path / "eventful"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "plain.py").write_text("from listeners import Payments\n")
    (package / "wiring.py").write_text(_WIRING)
    (package / "publishers.py").write_text(_PUBLISHERS)
    (package / "subscribers.py").write_text(_SUBSCRIBERS)
    (package / "broken.py").write_text("raise SystemExit('closed')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name in [name for name in sys.modules if name.split(".")[0] == "eventful"]:
        del sys.modules[name]
