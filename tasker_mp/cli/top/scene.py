"""Everything that a frame shows."""

from collections.abc import Callable
from dataclasses import dataclass, field

from tasker_mp.cli.top.choice import Choice
from tasker_mp.cli.top.history import History
from tasker_mp.cli.top.line import Line
from tasker_mp.observation import Observation, WorkerView
from tasker_mp.snapshot import Event, Failure, NamespaceSnapshot

SILENT_SECONDS = 3.0
"""Without a new snapshot for that long, a supervisor is stopped or stuck."""

Panel = Callable[[int], list[Line]]
"""The lines of a panel of that width."""


@dataclass
class Scene:
    """`seen` is the last observation, `gone_for` the seconds since there was one.

    `trouble` says why there is none to see. `panel` is what a command shows above the view.
    """

    seen: Observation | None = None
    gone_for: float | None = None
    trouble: str | None = None
    history: History = field(default_factory=History)
    choice: Choice = field(default_factory=Choice)
    panel: Panel | None = None

    @property
    def state(self) -> str:
        """As its supervisor says, unless it says nothing any more: `silent`, then `gone`."""
        if self.seen is None or self.gone_for is not None:
            return "gone"
        return "silent" if self.seen.age > SILENT_SECONDS else self.seen.snapshot.state


def workers(seen: Observation, choice: Choice) -> list[WorkerView]:
    """Those that the filter lets through, by index."""
    return [
        view
        for view in seen.workers
        if choice.matches(
            view.worker.handler, view.worker.step, view.worker.state, view.worker.last_exit
        )
    ]


def namespaces(seen: Observation, choice: Choice) -> list[NamespaceSnapshot]:
    """Those with work first."""
    rates = seen.rates.namespaces
    shown = [found for found in seen.snapshot.namespaces if choice.matches(found.name)]
    return sorted(shown, key=lambda found: not (found.queued or rates.get(found.name)))


def failures(seen: Observation, choice: Choice, *, only_quarantined: bool = False) -> list[Failure]:
    """The newest first."""
    return [
        failure
        for failure in reversed(seen.snapshot.failures)
        if (failure.quarantined or not only_quarantined)
        and choice.matches(failure.step, failure.namespace, failure.kind, failure.message)
    ]


def events(seen: Observation, choice: Choice) -> list[Event]:
    """The newest first."""
    return [
        event for event in reversed(seen.snapshot.events) if choice.matches(event.text, event.level)
    ]


def failure_key(failure: Failure) -> tuple[float, str]:
    return (failure.at, failure.step_uuid)
