"""The root of the command line: the commands by name, each imported when it is called."""

import sys
from collections.abc import Sequence
from importlib import import_module
from io import TextIOWrapper
from typing import Any

import click
from rich_click import RichGroup
from rich_click.rich_panel import RichCommandPanel

from tasker_mp.cli.failure import exit_code_of
from tasker_mp.cli.settings import HELP_NAMES, Settings, global_options

# Panel of the help → command → where its click object is.
_PANELS = {
    "Run": {
        "demo": "tasker_mp.cli.demo.command:demo",
        "start": "tasker_mp.cli.start:start",
        "stop": "tasker_mp.cli.steer:stop",
        "drain": "tasker_mp.cli.steer:drain",
        "pause": "tasker_mp.cli.steer:pause",
        "resume": "tasker_mp.cli.steer:resume",
        "log-level": "tasker_mp.cli.steer:log_level",
        "status": "tasker_mp.cli.status:status",
        "top": "tasker_mp.cli.top.command:top",
    },
    "Work": {
        "submit": "tasker_mp.cli.submit:submit",
        "task": "tasker_mp.cli.task:task",
        "step": "tasker_mp.cli.step:step",
    },
    "Project": {
        "init": "tasker_mp.cli.init:init",
        "template": "tasker_mp.cli.template:template",
        "handler": "tasker_mp.cli.handler:handler",
        "db": "tasker_mp.cli.db:db",
        "doctor": "tasker_mp.cli.doctor:doctor",
    },
}
_PLACES = {name: place for panel in _PANELS.values() for name, place in panel.items()}


class _Root(RichGroup):
    """Knows its commands by name only: `status` must not pay for the imports of `demo`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_PLACES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _PLACES:
            return None
        module, _, name = _PLACES[cmd_name].partition(":")
        found: click.Command = getattr(import_module(module), name)
        return found


def _print_version(ctx: click.Context, _option: click.Parameter, value: bool) -> None:
    if value:
        from importlib.metadata import version  # noqa: PLC0415

        click.echo(f"tasker-mp {version('tasker-mp')}")
        ctx.exit()


def _root() -> _Root:
    root = _Root(
        name="tasker-mp",
        help="Durable workflows (DAGs of steps) on one host.",
        context_settings=HELP_NAMES,
        panels=[RichCommandPanel(name, commands=list(panel)) for name, panel in _PANELS.items()],
    )
    root.params += global_options(only_json_shown=False)
    root.params.append(
        click.Option(
            ["--version"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_print_version,
            help="Show the version and exit.",
        )
    )
    return root


def run(arguments: Sequence[str]) -> int:
    """Run a command line; the exit code. Every error is on stderr by then, as one line."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a locale without ✓ is no reason to fail
    settings = Settings(json="--json" in arguments, debug="--debug" in arguments)

    def call() -> Any:
        return _root().main(
            list(arguments), prog_name="tasker-mp", standalone_mode=False, obj=settings
        )

    return exit_code_of(call, settings)
