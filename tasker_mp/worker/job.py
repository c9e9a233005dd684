"""What a worker knows of a kind of step: its handler, how it runs, and how long that takes."""

import inspect

import msgspec

from tasker_mp.errors import EngineError, HandlerLoadError
from tasker_mp.handler import StepHandler
from tasker_mp.messages import (
    StepError,
    StepEvent,
    StepOutcome,
    StepSpec,
    encode,
    event_decoder,
    spec_decoder,
)
from tasker_mp.registry import HandlerRegistry, ResolutionError
from tasker_mp.result import ErrorType
from tasker_mp.worker.page import Kind
from tasker_mp.worker.run_delay import RunDelay

_JOBS_KEPT = 10_000
_UNKNOWN_NS = 1_000_000_000
_BRIEF_NS = 50_000_000
"""A plain step that usually ends sooner may keep coroutines waiting; it holds up all of them."""
_WARY = 3
"""Quick runs that make a slow one forgotten."""
_QUICK_RUNS = 20
"""After so many, one slow run is the machine's: it may hold up anything for a moment."""


class Job:
    """What a template says about a step, the handler or why there is none, and how long it takes.

    `kind` is None for a plain handler, which has the worker to itself while it runs. A step never
    seen is expected to be slow.
    """

    def __init__(self, spec: StepSpec, handler: StepHandler | HandlerLoadError) -> None:
        self.spec = spec
        self.handler = handler
        self.kind: Kind | None = _kind(spec, handler)
        self.declares = bool(spec.step.publishes_events) or spec.step.result_schema is not None
        """Whether its outcomes have to be looked at for what the template says of them."""
        self.usual_ns = _UNKNOWN_NS
        self._wary = 1
        self._quick_runs = 0

    def note(self, run_ns: int, delay: RunDelay | None = None) -> None:
        """A slow run counts at once, unless it is one after many quick ones, and fades.

        `delay` is marked no later than at the run's start: what a plain step waited for a core is
        not its own time.
        """
        self.usual_ns = max(run_ns, self.usual_ns - (self.usual_ns >> 3))
        if run_ns >= _BRIEF_NS and delay is not None:
            run_ns -= delay.since_mark_ns()
        if run_ns >= _BRIEF_NS:
            self._wary = _WARY if self._quick_runs < _QUICK_RUNS else 0
            self._quick_runs = 0
        else:
            self._wary = max(0, self._wary - 1)
            self._quick_runs += 1

    @property
    def brief(self) -> bool:
        """Whether this worker has run it, and found it quick of late; or cannot run it at all."""
        return not self._wary or isinstance(self.handler, HandlerLoadError)


def _kind(spec: StepSpec, handler: StepHandler | HandlerLoadError) -> Kind | None:
    if isinstance(handler, HandlerLoadError):
        return None
    definition = spec.step.handler
    if (definition.concurrency or handler.concurrency) == "thread":
        return "thread"
    method = inspect.unwrap(getattr(handler, definition.method))
    return "coroutine" if inspect.iscoroutinefunction(method) else None


class JobBook:
    """Made once each: the supervisor sends the same bytes with every event of a template step."""

    def __init__(self, registry: HandlerRegistry) -> None:
        self._registry = registry
        self._jobs: dict[bytes, Job] = {}
        self.known = self._jobs.get
        """The job, or None where its like never came before."""

    def get(self, encoded: bytes) -> Job:
        """`msgspec.DecodeError` where it is no specification."""
        job = self._jobs.get(encoded)
        if job is None:
            if len(self._jobs) >= _JOBS_KEPT:
                self._jobs.clear()
            job = self._jobs[encoded] = self._make(encoded)
        return job

    def _make(self, encoded: bytes) -> Job:
        spec = spec_decoder.decode(encoded)
        try:
            return Job(spec, self._registry.resolve(spec.step.handler))
        except HandlerLoadError as error:
            return Job(spec, error)


def read_event(payload: bytes) -> StepEvent | StepOutcome:
    """The event; or why its step fails."""
    try:
        return event_decoder.decode(payload)
    except (msgspec.DecodeError, RecursionError) as error:
        return unreadable(error)


def unreadable(error: Exception) -> StepOutcome:
    return StepOutcome(
        error=StepError(
            message=f"the worker could not read the step: {error}",
            error_type=ErrorType.PERMANENT_ERROR,
            error_code="UNREADABLE_STEP",
            retryable=False,
        )
    )


def no_handler(name: str, cause: EngineError) -> StepOutcome:
    """The failure of a step whose handler cannot be had; a resolver says itself what is wrong."""
    why = f": {cause}" if isinstance(cause, ResolutionError) else ""
    return StepOutcome(
        error=StepError(
            message=f"No handler found for {name}{why}",
            error_type=ErrorType.PERMANENT_ERROR,
            error_code="HANDLER_NOT_FOUND",
            retryable=False,
            metadata=msgspec.Raw(encode({"cause": str(cause)})),
        )
    )
