"""Domain events: what a project's own publishers and subscribers extend."""

from tasker_mp.domain_events.model import (
    DomainEventMetadata,
    EventDeclaration,
    ExecutionResult,
    InProcessDomainEvent,
    PublishContext,
    StepEventContext,
    StepResult,
)
from tasker_mp.domain_events.poller import InProcessDomainEventPoller
from tasker_mp.domain_events.publisher import BasePublisher, DefaultPublisher
from tasker_mp.domain_events.publisher_registry import PublisherRegistry
from tasker_mp.domain_events.subscriber import BaseSubscriber
from tasker_mp.domain_events.subscriber_registry import SubscriberRegistry

__all__ = [
    "BasePublisher",
    "BaseSubscriber",
    "DefaultPublisher",
    "DomainEventMetadata",
    "EventDeclaration",
    "ExecutionResult",
    "InProcessDomainEvent",
    "InProcessDomainEventPoller",
    "PublishContext",
    "PublisherRegistry",
    "StepEventContext",
    "StepResult",
    "SubscriberRegistry",
]
