"""Makes domain events of what came of a step: the class to extend, and the default."""

import logging
from abc import ABC, abstractmethod
from datetime import UTC, datetime
from typing import Any, NamedTuple

from tasker_mp.domain_events.model import StepEventContext

log = logging.getLogger("tasker_mp.domain_events")


class PreparedEvent(NamedTuple):
    """An event that its publisher would like to see published."""

    payload: dict[str, Any]
    metadata: dict[str, Any]


class BasePublisher(ABC):
    """Extend it, give it a name for a template's `publisher:`, and define the hooks that matter.

    The hooks run in the worker, in the time of the step, after its handler: in the order
    `should_publish`, `transform_payload`, `additional_metadata`, `before_publish`, and
    `after_publish` once the event is handed over with the step's result. It is published when that
    is committed. A hook that raises costs its event, never the step. One instance serves many
    steps: keep nothing about a step on `self`.
    """

    @property
    @abstractmethod
    def publisher_name(self) -> str:
        """What templates call it."""

    def should_publish(self, ctx: StepEventContext) -> bool:
        """Whether there is an event at all; the declaration's condition holds already."""
        return True

    def transform_payload(self, ctx: StepEventContext) -> dict[str, Any]:
        """The payload: the step's result, of a failure `{"error": …}`."""
        return default_payload(ctx)

    def additional_metadata(self, ctx: StepEventContext) -> dict[str, Any]:
        """What to add to the event's metadata; who and where cannot be replaced."""
        return {}

    def before_publish(
        self,
        event_name: str,
        payload: dict[str, Any],
        metadata: dict[str, Any],
    ) -> bool:
        """The last look, which may change both; False drops the event."""
        return True

    def after_publish(  # noqa: B027
        self, event_name: str, payload: dict[str, Any], metadata: dict[str, Any]
    ) -> None:
        """The event is handed over with the step's result, which is not committed yet."""

    def on_publish_error(  # noqa: B027
        self, event_name: str, error: Exception, payload: dict[str, Any]
    ) -> None:
        """One of the hooks has raised; `payload` is empty where there was none yet."""

    def prepare(
        self, ctx: StepEventContext, event_name: str, base: dict[str, Any] | None = None
    ) -> PreparedEvent | None:
        """The event as the hooks make it, or None where they want none; never raises.

        `base` is metadata that no hook may replace.
        """
        payload: dict[str, Any] = {}
        try:
            if not self.should_publish(ctx):
                return None
            payload = _object(self.transform_payload(ctx), "transform_payload")
            added = _object(self.additional_metadata(ctx), "additional_metadata")
            fixed = self._metadata(ctx) if base is None else base
            metadata = {**ctx.metadata, **added, **fixed}
            if not self.before_publish(event_name, payload, metadata):
                return None
        except BaseException as error:
            self.failed(event_name, error, payload)
            return None
        return PreparedEvent(payload, {**metadata, **fixed})

    def hand_over(self, event_name: str, prepared: PreparedEvent) -> None:
        """Tell the publisher that its event goes its way; never raises."""
        try:
            self.after_publish(event_name, *prepared)
        except BaseException as error:
            self.failed(event_name, error, prepared.payload, "is published all the same")

    def publish(self, ctx: StepEventContext, event_name: str | None = None) -> bool:
        """All hooks in their order, as the engine calls them; whether there is an event.

        For trying a publisher out: nothing is sent anywhere.
        """
        name = event_name or ctx.step_name
        prepared = self.prepare(ctx, name)
        if prepared is None:
            return False
        self.hand_over(name, prepared)
        return True

    def failed(
        self,
        event_name: str,
        error: BaseException,
        payload: dict[str, Any],
        consequence: str = "is not published",
    ) -> None:
        """Log that a hook has raised, and tell the publisher; never raises."""
        name, reason = type(self).__qualname__, f"{type(error).__name__}: {error}"
        log.warning("the event %s %s: %s raised %s", event_name, consequence, name, reason)
        reported = error if isinstance(error, Exception) else RuntimeError(reason)
        try:
            self.on_publish_error(event_name, reported, payload)
        except BaseException as second:
            log.warning("%s.on_publish_error raised %s: %s", name, type(second).__name__, second)

    def _metadata(self, ctx: StepEventContext) -> dict[str, Any]:
        return {
            "publisher": self.publisher_name,
            "published_at": datetime.now(UTC).isoformat(),
            "task_uuid": ctx.task_uuid,
            "step_uuid": ctx.step_uuid,
            "step_name": ctx.step_name,
            "namespace": ctx.namespace,
            "correlation_id": ctx.correlation_id,
        }


class DefaultPublisher(BasePublisher):
    """Publishes the step's result as it is; of a failure, what is known of the error."""

    @property
    def publisher_name(self) -> str:
        return "default"


def default_payload(ctx: StepEventContext) -> dict[str, Any]:
    """The result; where the step failed, `{"error": …}`."""
    return {"error": ctx.error} if ctx.error is not None else ctx.result or {}


def _object(value: object, hook: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"{hook} must return a dict, not {type(value).__name__}")
    return value
