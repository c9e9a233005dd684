"""What came of a workflow that was run inline: a task as the client shows it, and more."""

from typing import Any

from msgspec import Struct

from tasker_mp.client.task import Step, Task


class InlineStep(Step, kw_only=True):
    """`delays`: the seconds that the fake clock passed before each retry, without jitter."""

    delays: list[float]


class PublishedEvent(Struct, kw_only=True):
    """A domain event of an accepted outcome; `message` is all that subscribers are given."""

    name: str
    step: str
    delivery_mode: str
    payload: dict[str, Any]
    metadata: dict[str, Any]
    message: dict[str, Any]


class InlineTask(Task, kw_only=True):
    """A task at its end; `waited_seconds` is all that the fake clock passed: waits that overlap
    count once."""

    steps: list[InlineStep]  # type: ignore[assignment]
    events: list[PublishedEvent]
    waited_seconds: float

    def step(self, name: str) -> InlineStep:
        """The step of this name; `KeyError` with the names there are, since some never come to
        be."""
        for step in self.steps:
            if step.name == name:
                return step
        raise KeyError(f"no step {name!r} in {[step.name for step in self.steps]}")
