"""`handler list|check|new`: the code that the templates name."""

import contextlib
import sys
from typing import TYPE_CHECKING

import rich_click as click

from tasker_mp.cli.output import mark, say, show_table, write_json
from tasker_mp.cli.settings import Settings, group, pass_settings
from tasker_mp.cli.template import load, note_problems

if TYPE_CHECKING:
    from tasker_mp.config import Config
    from tasker_mp.registry import HandlerCheck
    from tasker_mp.template.model import Template


@group("handler")
def handler() -> None:
    """Look at the handlers that templates name, check them, begin new ones."""


@handler.command("list")
@pass_settings
def list_(settings: Settings) -> None:
    """List every callable that the templates name, and whether it resolves."""
    checks = _checks(settings)
    if settings.json:
        write_json({"handlers": checks})
    else:
        columns = ("", "step", "callable", "template", "problem")
        show_table(columns, map(_row, checks), optional=("template", "callable"))


@handler.command("check")
@pass_settings
def check(settings: Settings) -> int:
    """Print the callables that do not resolve, and why; exit 1 if there is one."""
    checks = _checks(settings)
    problems = [found for found in checks if found.problem is not None]
    if settings.json:
        write_json({"ok": not problems, "handlers": checks})
    else:
        lines = [f"{p.template}: step {p.step}: {p.problem}\n" for p in problems]
        sys.stdout.write("".join(lines))
    callables = len({(found.callable, found.method) for found in checks})
    say(f"{callables} callables, {len(problems) or 'no'} problem{'s' * (len(problems) != 1)}")
    return 1 if problems else 0


@handler.command("new")
@click.argument("path", metavar="DOTTED.PATH")
@click.option("--function", is_flag=True, help="A decorated function instead of a class.")
@pass_settings
def new(settings: Settings, path: str, function: bool) -> None:
    """Add a handler to fill in, and a test of it; what is in the files stays.

    Exit 2 where the module has that name already. With --json: {"handler", "files"}.
    """
    from tasker_mp.cli.handler_new import new_handler  # noqa: PLC0415

    new_handler(settings, path, function=function)


def _checks(settings: Settings) -> "list[HandlerCheck]":
    found = load(settings)
    note_problems(found)
    return check_handlers(settings.config(), found.templates)


def check_handlers(config: "Config", templates: "list[Template]") -> "list[HandlerCheck]":
    """Every callable of the templates, imported and made in this process as a worker does it."""
    from tasker_mp.registry import HandlerRegistry  # noqa: PLC0415

    sys.path.insert(0, str(config.root))
    # What a handler's module prints is no data of ours.
    with contextlib.redirect_stdout(sys.stderr):
        return HandlerRegistry(config.worker.handler_packages).as_instance().check(templates)


def _row(check: "HandlerCheck") -> tuple[object, ...]:
    return (mark(check.problem is None), check.step, _named(check), check.template, check.problem)


def _named(check: "HandlerCheck") -> str:
    return check.callable if check.method == "call" else f"{check.callable}.{check.method}"
