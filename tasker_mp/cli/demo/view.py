"""What `demo` shows while it runs: a live table on a terminal, a line a workflow elsewhere."""

from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from tasker_mp.cli.demo.report import Report
from tasker_mp.cli.demo.run import Progress
from tasker_mp.cli.demo.workflow import WORKFLOWS, Workflow

_BAR_COLUMNS = 16


class View(Protocol):
    """Told what happens: `stage`, then `progress` and `done` for each workflow in turn."""

    def stage(self, text: str) -> None: ...
    def progress(self, progress: Progress) -> None: ...
    def done(self, report: Report) -> None: ...


class SilentView:
    """For `--json`."""

    def stage(self, text: str) -> None: ...
    def progress(self, progress: Progress) -> None: ...
    def done(self, report: Report) -> None: ...


class LineView:
    """For logs and pipes."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def stage(self, text: str) -> None:
        self._console.print(f"{text} …")

    def progress(self, progress: Progress) -> None: ...

    def done(self, report: Report) -> None:
        rate = f", {report.steps_per_second:,.0f} steps/s" if report.steps_per_second else ""
        counts = f"{report.succeeded:,} of {report.tasks:,} tasks complete"
        self._console.print(f"{report.workflow.title}: {counts}{rate}")


class LiveView:
    """A table that redraws itself; it is gone once the result table takes its place."""

    def __init__(self, console: Console, tasks: int) -> None:
        self._latest = {w: Progress(w, tasks, 0, 0, 0.0) for w in WORKFLOWS}
        self._rates: dict[Workflow, float | None] = {}
        self._stage = Spinner("dots", Text("starting"), style="cyan")
        self._live = Live(
            console=console, transient=True, refresh_per_second=12, get_renderable=self._table
        )

    def stage(self, text: str) -> None:
        self._stage.update(text=Text(text))

    def progress(self, progress: Progress) -> None:
        self._latest[progress.workflow] = progress
        self._rates[progress.workflow] = progress.steps_per_second
        self.stage(f"running {progress.workflow.namespace}/{progress.workflow.name}")

    def done(self, report: Report) -> None:
        self._rates[report.workflow] = report.steps_per_second

    def __enter__(self) -> Self:
        self._live.start(refresh=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._live.stop()

    def _table(self) -> RenderableType:
        table = Table.grid("workflow", "", padding=(0, 1))
        table.show_header, table.header_style = True, "dim"
        for number in ("tasks", "steps/s"):
            table.add_column(number, justify="right", no_wrap=True)
        for progress in self._latest.values():
            table.add_row(*self._row(progress))
        return Group(table, self._stage)

    def _row(self, p: Progress) -> tuple[RenderableType, ...]:
        rate = self._rates.get(p.workflow)
        ended = p.completed + p.failed
        count = Text(f"{p.completed:,}/{p.tasks:,}")
        if p.failed:
            count.append(f", {p.failed:,} failed", style="red")
        style = "dim" if rate is None else "bold" if ended < p.tasks else ""
        return (
            Text(p.workflow.title, style=style),
            ProgressBar(total=p.tasks, completed=ended, width=_BAR_COLUMNS),
            count,
            Text(f"{rate:,.0f}" if rate else "", style="cyan"),
        )
