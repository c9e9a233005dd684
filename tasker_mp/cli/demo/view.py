"""What `demo` shows while it runs: the view of `top` on a terminal, a line a workflow elsewhere."""

import threading
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from rich.console import Console

from tasker_mp.cli.demo.report import Report
from tasker_mp.cli.demo.run import Progress
from tasker_mp.cli.demo.workflow import WORKFLOWS, Workflow
from tasker_mp.cli.top.actions import OpenClient
from tasker_mp.cli.top.aside import Aside
from tasker_mp.cli.top.line import Line, bar, span
from tasker_mp.cli.top.styles import BAD, BOLD, DIM, GOOD, PLAIN
from tasker_mp.cli.top.table import Column, Row, table
from tasker_mp.cli.top.watch import Watch
from tasker_mp.config import Config

_BAR_COLUMNS = 16
_REFRESH = 0.25
_T = TypeVar("_T")

_COLUMNS = (
    Column("workflow", 100, least=17),
    Column("", 90, least=_BAR_COLUMNS),
    Column("tasks", 95, right=True, least=11),
    Column("failed", 80, right=True),
    Column("steps/s", 85, right=True, least=8),
)


class View(Protocol):
    """Told what happens: `stage`, then within `during` `progress` and `done` for each workflow."""

    @property
    def stderr(self) -> int | None:
        """Where the supervisor is to say what it has to."""

    def stage(self, text: str) -> None: ...
    def during(self, work: Callable[[], _T]) -> _T: ...
    def progress(self, progress: Progress) -> None: ...
    def done(self, report: Report) -> None: ...


class SilentView:
    """For `--json`."""

    stderr: int | None = None

    def stage(self, text: str) -> None: ...
    def progress(self, progress: Progress) -> None: ...
    def done(self, report: Report) -> None: ...

    def during(self, work: Callable[[], _T]) -> _T:
        return work()


class LineView:
    """For logs and pipes."""

    stderr: int | None = None

    def __init__(self, console: Console) -> None:
        self._console = console

    def stage(self, text: str) -> None:
        self._console.print(f"{text} …")

    def progress(self, progress: Progress) -> None: ...

    def done(self, report: Report) -> None:
        rate = f", {report.steps_per_second:,.0f} steps/s" if report.steps_per_second else ""
        counts = f"{report.succeeded:,} of {report.tasks:,} tasks complete"
        self._console.print(f"{report.workflow.title}: {counts}{rate}")

    def during(self, work: Callable[[], _T]) -> _T:
        return work()


class LiveView:
    """The view of `top`, with the workflows on top of it; once it is left, lines take its place."""

    def __init__(
        self, console: Console, tasks: int, config: Config, open_client: OpenClient, aside: Aside
    ) -> None:
        self._lines = LineView(console)
        self._latest = {w: Progress(w, tasks, 0, 0, 0.0) for w in WORKFLOWS}
        self._rates: dict[Workflow, float | None] = {}
        self._running: Workflow | None = None
        self._aside = aside
        self._watching = False
        self._watch = Watch(config.root, open_client, refresh=_REFRESH, panel=self._panel)

    @property
    def stderr(self) -> int | None:
        return self._aside.fd

    def stage(self, text: str) -> None:
        self._lines.stage(text)

    def progress(self, progress: Progress) -> None:
        self._running = progress.workflow
        self._latest[progress.workflow] = progress
        self._rates[progress.workflow] = progress.steps_per_second

    def done(self, report: Report) -> None:
        self._rates[report.workflow] = report.steps_per_second
        if not self._watching:
            self._lines.done(report)

    def during(self, work: Callable[[], _T]) -> _T:
        """The view has the main thread, where signals arrive; the work goes on without it."""
        self._aside.started()
        worker = _Worker(work, self._watch.wake)
        with self._aside.held():
            self._watching = True
            try:
                self._watch.run(until=lambda: not worker.is_alive())
            finally:
                self._watching = False
        return worker.result()

    def _panel(self, width: int) -> list[Line]:
        rows = [self._row(progress) for progress in self._latest.values()]
        return table("demo", _COLUMNS, rows, width, len(rows) + 2)

    def _row(self, p: Progress) -> Row:
        rate, ended = self._rates.get(p.workflow), p.completed + p.failed
        style = BOLD if p.workflow is self._running else PLAIN if ended else DIM
        return Row(
            (
                span(p.workflow.title, style),
                bar(ended / p.tasks, _BAR_COLUMNS, GOOD),
                f"{p.completed:,}/{p.tasks:,}",
                span(f"{p.failed:,}", BAD if p.failed else DIM),
                f"{rate:,.0f}" if rate else "",
            )
        )


class _Worker(threading.Thread, Generic[_T]):
    """Calls `work`; whoever interrupts the demo does not wait for it."""

    def __init__(self, work: Callable[[], _T], wake: Callable[[], None]) -> None:
        super().__init__(daemon=True, name="demo")
        self._work = work
        self._wake = wake
        self._found: list[_T] = []
        self._error: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            self._found.append(self._work())
        except BaseException as error:
            self._error = error
        self._wake()

    def result(self) -> _T:
        """Once it has ended; raises what it raised."""
        self.join()
        if self._error is not None:
            raise self._error
        return self._found[0]
