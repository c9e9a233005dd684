"""What handlers say: their loggers and what they print, as lines of the log that name the step.

Set up once in the zygote, before any handler is imported. What is written past Python, to the file
descriptors 1 and 2, reaches the supervisor through pipes: see `tasker_mp.engine.worker_output`.
"""

import io
import logging
import os
import sys
import threading
import time
from contextvars import ContextVar, copy_context
from typing import TYPE_CHECKING, Any, Final

from tasker_mp.log_budget import Budget
from tasker_mp.log_line import LINE_BYTES, SEVERITIES, dropped_line, renderer
from tasker_mp.log_outlet import STDERR, Outlet

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

    from tasker_mp.context import StepContext

LINES: Final = 1000
"""That a worker may say in a second. The rest is counted."""

_REPORT_SECONDS = 1.0
_step: ContextVar["StepContext | None"] = ContextVar("tasker_mp_step", default=None)
_NAMES = {severity: level for level, severity in SEVERITIES.items()}
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class Output(logging.Handler):
    """All that this process says, with the step that says it.

    `alone` is the context of the plain step that runs, None between such steps: whatever threads it
    starts speak for it. Steps that run beside others each `enter` a context of theirs.
    `unsettled`: somebody printed the beginning of a line, or lines were dropped: call `settle`.
    """

    def __init__(self, form: str, level: str, **fields: object) -> None:
        super().__init__()
        self.alone: StepContext | None = None
        self.unsettled = False
        self.severity = SEVERITIES[level]
        self._full = form == "json"
        self._fields = dict(fields)
        self._render = renderer(form, colours=os.isatty(STDERR))
        self._outlet = Outlet(lambda count: dropped_line(self._render, time.time(), count))
        self._budget = Budget(LINES)
        self._reported_at = 0.0
        self._told: tuple[StepContext | None, dict[str, Any]] = (None, self._fields)
        self._streams: list[_Lines] = []

    def install(self) -> None:
        """Take over the root logger, `sys.stdout` and `sys.stderr`."""
        root = logging.getLogger()
        root.handlers[:] = [self]
        root.setLevel(self.severity)
        sys.stdout = self._stream("stdout", "info", 1)
        sys.stderr = self._stream("stderr", "warning", 2)

    def _stream(self, name: str, level: str, fd: int) -> io.TextIOWrapper:
        lines = _Lines(self, name, level, fd)
        self._streams.append(lines)
        # Unbuffered: what is printed is seen at once, and survives its worker.
        return io.TextIOWrapper(
            lines, encoding="utf-8", errors="backslashreplace", newline="\n", write_through=True
        )

    def bind(self, **fields: object) -> None:
        self._fields = self._fields | fields
        self._told = (None, self._fields)

    def set_severity(self, severity: int) -> None:
        """Say nothing below this from now on; 0 leaves it as it is."""
        if severity and severity != self.severity:
            self.severity = severity
            logging.getLogger().setLevel(severity)

    # -- steps --------------------------------------------------------------------------------

    def enter(self, step: "StepContext") -> None:
        """Whatever is said in this context, and in those copied from it, is this step's."""
        _step.set(step)

    @property
    def step(self) -> "StepContext | None":
        """The one that says something now."""
        return _step.get() or self.alone

    # -- lines --------------------------------------------------------------------------------

    def emit(self, record: logging.LogRecord) -> None:
        """A record of the standard library's loggers; fields given as `extra` come with it."""
        fields = {"logger": record.name}
        fields |= {k: v for k, v in vars(record).items() if k not in _STANDARD}
        if record.exc_info:
            fields["exception"] = _formatter.formatException(record.exc_info)
        if record.stack_info:
            fields["stack"] = record.stack_info
        level = _NAMES.get(record.levelno) or _nearest(record.levelno)
        self.say(level, record.getMessage(), **fields)

    def say(self, level: str, text: str, **fields: Any) -> None:
        """A line with the fields of the step, unless there were too many."""
        if SEVERITIES[level] < self.severity:
            return
        now = time.monotonic()
        if not self._budget.allows(now):
            self.unsettled = True
            return
        if self._budget.dropped and now - self._reported_at > _REPORT_SECONDS:
            self._report(now)
        self._write(level, text, fields)

    @property
    def over(self) -> bool:
        """Whether there were too many lines for one more."""
        return self._budget.exhausted(time.monotonic())

    def drop(self, lines: int) -> None:
        self._budget.dropped += lines
        self.unsettled = True

    def settle(self, step: "StepContext | None" = None, *, idle: bool = False) -> None:
        """At the end of a step: its lines without an end end here (all where none is named), and
        what was dropped is told, now and then, and when there is nothing else to do."""
        for stream in self._streams:
            stream.end_lines(step)
        now = time.monotonic()
        if self._budget.dropped and (idle or now - self._reported_at > _REPORT_SECONDS):
            self._report(now)
        self.unsettled = bool(self._budget.dropped) or any(s.unended for s in self._streams)

    def _report(self, now: float) -> None:
        self._reported_at = now
        lines = self._budget.take_dropped()
        if SEVERITIES["warning"] >= self.severity:
            self._write("warning", "output dropped: too many lines", {"lines": lines})

    def _write(self, level: str, text: str, fields: dict[str, Any]) -> None:
        self._outlet.write(self._render(time.time(), level, text, self._step_fields() | fields))

    def _step_fields(self) -> dict[str, Any]:
        step, told = self.step, self._told
        if told[0] is not step:  # read once: another thread may speak for another step meanwhile
            told = self._told = (step, self._fields | _fields_of(step, full=self._full))
        return told[1]


_formatter = logging.Formatter()


def _fields_of(step: "StepContext | None", *, full: bool) -> dict[str, Any]:
    """Everything for machines, what one looks for first for people."""
    if step is None:
        return {}
    attempt = step.retry_count + 1
    fields: dict[str, Any] = {"task": step.task_uuid, "step": step.workflow_step.name}
    if full:
        return fields | {
            "attempt": attempt,
            "step_uuid": step.step_uuid,
            "event_id": step.event_id,
            "correlation_id": step.correlation_id,
            "trace_id": step.trace_id,
            "span_id": step.span_id,
        }
    return fields | ({"attempt": attempt} if attempt > 1 else {})


def _nearest(severity: int) -> str:
    """The level at or below a number of somebody's own."""
    return next((n for n, s in reversed(SEVERITIES.items()) if s <= severity), "debug")


class _Lines(io.BufferedIOBase):
    """Cuts what is written into lines, of each thread and each step by itself.

    A partial line is taken out before it is worked on, so that a signal handler that prints in
    between neither repeats nor loses any of it.
    """

    def __init__(self, output: Output, stream: str, level: str, fd: int) -> None:
        self._output = output
        self._stream = stream
        self._level = level
        self._fd = fd
        self._partial: dict[tuple[int, StepContext | None], bytes] = {}

    def writable(self) -> bool:
        return True

    @property
    def name(self) -> str:
        return f"<{self._stream}>"

    def fileno(self) -> int:
        """For programs that handlers start."""
        return self._fd

    def write(self, data: "ReadableBuffer", /) -> int:
        given = bytes(data)
        speaker = (threading.get_ident(), self._output.step)
        text = self._partial.pop(speaker, b"") + given
        start = 0
        while (end := text.find(b"\n", start)) >= 0:
            if self._output.over:
                self._output.drop(text.count(b"\n", start))
                start = text.rindex(b"\n") + 1
                break
            self._end(text[start:end])
            start = end + 1
        if rest := text[start:]:
            # Of a line that does not end the beginning is kept; also what was said meanwhile.
            self._partial[speaker] = (self._partial.pop(speaker, b"") + rest)[: 2 * LINE_BYTES]
            self._output.unsettled = True
        return len(given)

    def _end(self, line: bytes) -> None:
        if text := line.decode(errors="backslashreplace").rstrip():
            self._output.say(self._level, text, stream=self._stream)

    @property
    def unended(self) -> bool:
        return bool(self._partial)

    def end_lines(self, step: "StepContext | None") -> None:
        """Those of a step, or all."""
        for speaker in [s for s in list(self._partial) if step is None or s[1] is step]:
            if line := self._partial.pop(speaker, b""):
                copy_context().run(self._end_for, speaker[1], line)

    def _end_for(self, step: "StepContext | None", line: bytes) -> None:
        _step.set(step)
        self._end(line)
