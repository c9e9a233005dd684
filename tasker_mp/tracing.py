"""Spans for OpenTelemetry (the extra `otel`): of tasks, of steps, of claims and of commits.

The supervisor makes them all, from what it knows of each step anyway: they have the times and the
ids that the rows and the logs have, a step that took its worker down has its span as well, and a
worker imports nothing for it. Without one of the standard variables nothing is imported here.
"""

import os
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, Protocol

import structlog

from tasker_mp.errors import ConfigError
from tasker_mp.trace_context import (
    TraceParent,
    parse_traceparent,
    step_span_id,
    submitted_at_ns,
    task_span_id,
    trace_id_of,
)

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
    from opentelemetry.trace import SpanContext

    from tasker_mp.inflight import Entry, Settled

log = structlog.get_logger("tasker_mp.tracing")

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_KINDS = {"otlp": "otlp_proto_http"}
"""Exporters by their names in OTEL_TRACES_EXPORTER, where their entry point has another."""
_LINKS = 32
_FLUSH_MS = 3000


def open_spans(worker_id: str) -> "Spans | None":
    """What the standard variables of OpenTelemetry ask for; None where they ask for nothing.

    `ConfigError` where that needs a package that is not installed.
    """
    wanted = os.environ.get("OTEL_TRACES_EXPORTER") or (
        "otlp" if any(os.environ.get(name) for name in _ENDPOINTS) else "none"
    )
    if wanted == "none" or os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    try:
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    except ImportError:
        raise ConfigError(
            f"OTEL_TRACES_EXPORTER = {wanted!r}, and OpenTelemetry is not installed: "
            "pip install 'tasker-mp[otel]', or set OTEL_TRACES_EXPORTER=none"
        ) from None
    named = {} if "OTEL_SERVICE_NAME" in os.environ else {"service.name": "tasker-mp"}
    provider = TracerProvider(
        resource=Resource.create({"service.instance.id": worker_id, **named}),
        shutdown_on_exit=False,
    )
    return Spans(provider, BatchSpanProcessor(_exporter(wanted)))


def _exporter(name: str) -> Any:
    kind = _KINDS.get(name, name)
    found = list(entry_points(group="opentelemetry_traces_exporter", name=kind))
    if not found:
        raise ConfigError(
            f"OTEL_TRACES_EXPORTER = {name!r}: no such exporter is installed; "
            "pip install 'tasker-mp[otel]' has otlp and console"
        )
    if kind == "console":  # standard output is for data
        import sys  # noqa: PLC0415

        return found[0].load()(out=sys.stderr)
    return found[0].load()()


class Traced(Protocol):
    """A claimed step, to be run or on its way already."""

    @property
    def task(self) -> bytes: ...
    @property
    def event_id(self) -> bytes: ...
    @property
    def traceparent(self) -> str | None: ...


class Outcome(Protocol):
    """What a commit led to: results that were refused, by their events, and tasks that ended."""

    @property
    def stale(self) -> Sequence[bytes]: ...
    @property
    def ended(self) -> Sequence[tuple[bytes, str]]: ...


class Spans:
    """Hands finished spans to `processor`, those that the provider's sampler lets through."""

    def __init__(self, provider: "TracerProvider", processor: "SpanProcessor") -> None:
        from opentelemetry.sdk.util.instrumentation import InstrumentationScope  # noqa: PLC0415

        self._provider = provider
        self._processor = processor
        self._scope = InstrumentationScope("tasker_mp")
        self._failed = False

    def claimed(self, steps: Sequence[Traced], started: float) -> None:
        """A claim that brought steps; `started` by the monotonic clock, and it ends now."""
        if steps:
            with self._harmless():
                self._batch("claim", steps, started)

    def committed(self, batch: Sequence["Settled"], finished: Outcome, started: float) -> None:
        """A commit that ends now, the steps in it that were accepted, and the tasks it ended."""
        with self._harmless():
            entries = {settled.entry.task: settled.entry for settled in batch}
            for settled in batch:
                if settled.entry.event_id not in finished.stale:
                    self._step(settled)
            for task, state in finished.ended:
                if entry := entries.get(task):
                    self._task(entry, state)
            self._batch("commit", [settled.entry for settled in batch], started)

    @contextmanager
    def _harmless(self) -> Iterator[None]:
        """No trouble with a span is worth a step."""
        try:
            yield
        except Exception as error:
            if not self._failed:
                log.warning(
                    "a span could not be made; others will not be told of", error=str(error)
                )
            self._failed = True

    def close(self) -> None:
        """Export what is left."""
        self._processor.force_flush(_FLUSH_MS)
        self._processor.shutdown()

    # -- spans --------------------------------------------------------------------------------

    def _step(self, settled: "Settled") -> None:
        entry = settled.entry
        task = entry.task.hex()
        ended = _epoch_ns(settled.at)
        self._end(
            f"step {entry.name}",
            trace_id=trace_id_of(task, entry.traceparent),
            span_id=step_span_id(entry.event_id),
            parent_id=task_span_id(task),
            root=_parent(entry),
            times=(ended - settled.run_ns, ended),
            failed=settled.state == "error",
            attributes={
                "tasker.task": task,
                "tasker.step": entry.name,
                "tasker.namespace": entry.pace.namespace,
                "tasker.template": entry.pace.template,
                "tasker.attempt": entry.attempt,
                "tasker.state": str(settled.state),
                "tasker.crashed": settled.crashed,
            },
        )

    def _task(self, entry: "Entry", state: str) -> None:
        task, above = entry.task.hex(), _parent(entry)
        self._end(
            f"task {entry.pace.namespace}/{entry.pace.template}",
            trace_id=trace_id_of(task, entry.traceparent),
            span_id=task_span_id(task),
            parent_id=above.span_id if above else None,
            root=above,
            times=(submitted_at_ns(task), time.time_ns()),
            failed=state != "complete",
            attributes={
                "tasker.task": task,
                "tasker.namespace": entry.pace.namespace,
                "tasker.template": entry.pace.template,
                "tasker.state": state,
            },
        )

    def _batch(self, name: str, steps: Sequence[Traced], started: float) -> None:
        """A span of a trace of its own, with links to the first of its steps."""
        self._end(
            name,
            trace_id=secrets.token_hex(16),
            span_id=secrets.token_hex(8),
            parent_id=None,
            root=None,
            times=(_epoch_ns(started), time.time_ns()),
            attributes={"tasker.steps": len(steps)},
            linked=steps[:_LINKS],
        )

    def _end(
        self,
        name: str,
        *,
        trace_id: str,
        span_id: str,
        parent_id: str | None,
        root: TraceParent | None,
        times: tuple[int, int],
        attributes: dict[str, Any],
        failed: bool = False,
        linked: Sequence[Traced] = (),
    ) -> None:
        if not self._sampled(name, trace_id, root):
            return
        from opentelemetry.sdk.trace import ReadableSpan  # noqa: PLC0415
        from opentelemetry.trace import Link  # noqa: PLC0415
        from opentelemetry.trace.status import Status, StatusCode  # noqa: PLC0415

        span: ReadableSpan = ReadableSpan(
            name,
            context=_context(trace_id, span_id),
            parent=_context(trace_id, parent_id) if parent_id else None,
            resource=self._provider.resource,
            attributes=attributes,
            links=[Link(_step_context(step)) for step in linked],
            status=Status(StatusCode.ERROR if failed else StatusCode.UNSET),
            start_time=times[0],
            end_time=times[1],
            instrumentation_scope=self._scope,
        )
        self._processor.on_end(span)

    def _sampled(self, name: str, trace_id: str, root: TraceParent | None) -> bool:
        """As the trace's root was, or would be: all spans of a trace or none."""
        from opentelemetry import trace  # noqa: PLC0415
        from opentelemetry.sdk.trace.sampling import Decision  # noqa: PLC0415

        above = None
        if root is not None:
            context = _context(root.trace_id, root.span_id, sampled=root.sampled, remote=True)
            above = trace.set_span_in_context(trace.NonRecordingSpan(context))
        sampler = self._provider.sampler
        decision = sampler.should_sample(above, int(trace_id, 16), name).decision
        return decision is Decision.RECORD_AND_SAMPLE


def _parent(entry: "Entry") -> TraceParent | None:
    return parse_traceparent(entry.traceparent) if entry.traceparent else None


def _step_context(step: Traced) -> "SpanContext":
    trace_id = trace_id_of(step.task.hex(), step.traceparent)
    return _context(trace_id, step_span_id(step.event_id))


def _context(
    trace_id: str, span_id: str, *, sampled: bool = True, remote: bool = False
) -> "SpanContext":
    from opentelemetry.trace import SpanContext, TraceFlags  # noqa: PLC0415

    flags = TraceFlags(TraceFlags.SAMPLED if sampled else TraceFlags.DEFAULT)
    return SpanContext(int(trace_id, 16), int(span_id, 16), remote, flags)


def _epoch_ns(monotonic: float) -> int:
    return time.time_ns() - int((time.monotonic() - monotonic) * 1e9)
