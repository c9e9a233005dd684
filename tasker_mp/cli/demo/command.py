"""`demo`: the five example workflows, from nothing to their results."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import rich_click as click

from tasker_mp.cli.demo.workflow import LARGEST_EXPONENT, WORKFLOWS
from tasker_mp.cli.output import console, say, single_line, write_json
from tasker_mp.cli.settings import Settings, command, pass_settings
from tasker_mp.cli.steer import running_pid
from tasker_mp.errors import EngineError, TemplateNotFoundError

if TYPE_CHECKING:
    from tasker_mp.cli.demo.report import Report
    from tasker_mp.cli.demo.run import Demo
    from tasker_mp.cli.demo.view import View
    from tasker_mp.config import Config
    from tasker_mp.system import System

_MOST_DIGITS = 4300 // LARGEST_EXPONENT
"""Python converts integers of at most 4,300 digits to text."""
_QUICK_STOP = 5.0


def _even(_ctx: click.Context, _option: click.Parameter, value: int) -> int:
    if value % 2:
        raise click.BadParameter(f"{value} is odd; give an even integer, such as 6")
    if len(str(abs(value))) > _MOST_DIGITS:
        raise click.BadParameter(f"{value} is too long; give {_MOST_DIGITS} digits at most")
    return value


@command("demo")
@click.option(
    "--input",
    "number",
    type=int,
    default=6,
    show_default=True,
    callback=_even,
    metavar="N",
    help="An even integer, of which powers are computed.",
)
@click.option(
    "--tasks",
    type=click.IntRange(1, 100_000),
    default=100,
    show_default=True,
    help="Tasks of each workflow.",
)
@click.option("--workers", type=click.IntRange(1, 4096), help="Processes (default: one per core).")
@click.option("--plain", is_flag=True, help="No live view, no colours, no drawn lines.")
@pass_settings
def demo(settings: Settings, number: int, tasks: int, workers: int | None, plain: bool) -> int:
    """Run the five example workflows, and check every result.

    Starts the database, a supervisor and its workers, and stops them again. Exit 1 unless every
    task completed with the right result.
    """
    config = settings.config(worker__count=workers, logging__level="warning")
    _require_workflows(config)
    _refuse_while_running(config)
    with _view(settings, config, tasks, plain=plain) as view:
        reports, troubles = _run(config, number, tasks, view)
    ok = all(report.ok for report in reports)
    if settings.json:
        write_json({"workflows": [report.document() for report in reports], "ok": ok})
    else:
        _print(reports, plain=plain)
    for trouble in troubles:
        say(f"error: {single_line(trouble)}")
    return 0 if ok else 1


def _run(
    config: "Config", number: int, tasks: int, view: "View"
) -> tuple[list["Report"], list[str]]:
    from tasker_mp.cli.demo.run import Demo  # noqa: PLC0415
    from tasker_mp.client.client import Client  # noqa: PLC0415
    from tasker_mp.system import bootstrap  # noqa: PLC0415

    workers = config.worker.count or os.cpu_count() or 1
    view.stage(f"starting the database, a supervisor and {workers} workers")
    # The client first: what is wrong with the database is then told here, as one line.
    with (
        Client(config=config) as client,
        bootstrap(config, stderr=view.stderr) as system,
        _quick_stop(system),
    ):
        run = Demo(client, system, number, tasks, view.progress)
        found = view.during(lambda: _run_all(run, view))
        view.stage("stopping")
    return found


def _run_all(run: "Demo", view: "View") -> tuple[list["Report"], list[str]]:
    reports: list[Report] = []
    troubles: list[str] = []
    for workflow in WORKFLOWS:
        made, trouble = run.run(workflow)
        view.done(made)
        reports.append(made)
        troubles += [trouble] if trouble else []
    return reports, troubles


@contextmanager
def _quick_stop(system: "System") -> Iterator[None]:
    """Who interrupts a demo does not want to wait for the rest of it."""
    try:
        yield
    except BaseException:
        system.stop(_QUICK_STOP)
        raise


def _require_workflows(config: "Config") -> None:
    from tasker_mp.template.parse import load_templates  # noqa: PLC0415

    found = load_templates(config.templates_path, config.environment)
    try:
        for workflow in WORKFLOWS:
            found.find(workflow.namespace, workflow.name)
    except TemplateNotFoundError as error:
        raise TemplateNotFoundError(
            f"the demo needs the example workflows in {config.templates_path}: {error}; "
            "run it in a clone of the repository, or name one with --config"
        ) from None


def _refuse_while_running(config: "Config") -> None:
    pid = running_pid(config)
    if pid is not None:
        raise EngineError(
            f"a supervisor is running here (pid {pid}), and the demo starts its own; "
            "stop it with: tasker-mp stop"
        )


@contextmanager
def _view(settings: Settings, config: "Config", tasks: int, *, plain: bool) -> "Iterator[View]":
    from tasker_mp.cli.demo.view import LineView, LiveView, SilentView  # noqa: PLC0415
    from tasker_mp.cli.repair import open_client  # noqa: PLC0415
    from tasker_mp.cli.top.aside import Aside  # noqa: PLC0415
    from tasker_mp.cli.top.terminal import can_draw  # noqa: PLC0415

    screen = console(sys.stderr)
    if settings.json:
        yield SilentView()
    elif plain or not can_draw(sys.stdout.fileno()):
        yield LineView(screen)
    else:
        with Aside() as aside:
            yield LiveView(screen, tasks, config, lambda: open_client(settings), aside)


def _print(reports: list["Report"], *, plain: bool) -> None:
    from tasker_mp.cli.demo.results import results  # noqa: PLC0415

    out = console(sys.stdout)
    out.no_color = out.no_color or plain
    for renderable in results(reports, out, plain=plain):
        out.print(renderable)
