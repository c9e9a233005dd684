"""What others hear of a step: domain events with its outcome, and signals on the worker's bus."""

from tasker_mp.event_bridge import EventBridge
from tasker_mp.publishing import Publications
from tasker_mp.worker.signals import StepSignals


class StepReports:
    """`worker_id` is what events say of who made them. All of it is in the time of the step.

    Attributes rather than methods: each step calls all three, and hardly any has anything to tell.
    """

    def __init__(self, worker_id: str, max_payload_bytes: int) -> None:
        publications = Publications(worker_id, max_payload_bytes)
        signals = StepSignals(EventBridge.instance())
        self.begun = signals.received
        """`(context)`: a handler is about to run."""
        self.settled = publications.settle
        """`(context, spec, outcome)`: the outcome as the supervisor is to have it."""
        self.ended = signals.ended
        """`(context, outcome)`: the outcome, with its times, goes to the supervisor."""
