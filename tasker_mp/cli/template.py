"""`template list|show|validate|graph|schema|new`: the workflows of a project."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from tasker_mp.cli.output import say, show, show_table, write_json
from tasker_mp.cli.settings import Settings, group, pass_settings
from tasker_mp.cli.submit import parse_template_name

if TYPE_CHECKING:
    from tasker_mp.template.model import StepDefinition, Template
    from tasker_mp.template.template_set import TemplateSet

_NAME = "NAMESPACE/NAME[@VERSION]"
_FORMATS = ("terminal", "dot", "mermaid")


@group("template")
def template() -> None:
    """Look at task templates, check them, begin new ones."""


@template.command("list")
@pass_settings
def list_(settings: Settings) -> None:
    """List the project's templates."""
    found = load(settings)
    if settings.json:
        write_json({"templates": [_summary(t) for t in found.templates]})
    else:
        columns = ("template", "version", "steps", "description")
        rows = [(t.path, t.version, len(t.steps), t.description) for t in found.templates]
        show_table(columns, rows, right=("steps",), optional=("steps", "version"))
    note_problems(found)


@template.command("show")
@click.argument("name", metavar=_NAME)
@pass_settings
def show_(settings: Settings, name: str) -> None:
    """Show one template as the running environment has it; all of it with --json."""
    found = _find(settings, name)
    if settings.json:
        write_json(found)
        return
    show(found.key)
    if found.description:
        show(found.description)
    columns = ("step", "handler", "tries", "limit", "after")
    rows = map(_step_row, found.steps)
    show_table(columns, rows, right=("tries", "limit"), optional=("limit", "tries", "handler"))


@template.command("validate")
@click.argument("paths", nargs=-1, metavar="[PATH…]", type=click.Path(exists=True, path_type=Path))
@pass_settings
def validate(settings: Settings, paths: tuple[Path, ...]) -> int:
    """Print every problem of every template file, with its place; exit 1 if there is one."""
    found = load(settings, paths)
    if settings.json:
        write_json(
            {
                "ok": not found.problems,
                "templates": [t.key for t in found.templates],
                "problems": found.problems,
                "warnings": found.warnings,
            }
        )
    else:
        sys.stdout.write("".join(f"{problem}\n" for problem in found.problems))
    for warning in found.warnings:
        say(f"warning: {warning}")
    say(f"{_counted(len(found.templates), 'good template')}, {_problem_count(found.problems)}")
    return 1 if found.problems else 0


@template.command("graph")
@click.argument("name", metavar=_NAME)
@click.option("--format", "format_", type=click.Choice(_FORMATS), default="terminal")
@pass_settings
def graph(settings: Settings, name: str, format_: str) -> None:
    """Draw a template's steps and what they wait for."""
    found = _find(settings, name)
    from tasker_mp.template.graph import dot, draw, mermaid  # noqa: PLC0415

    match format_:
        case "dot":
            text = dot(found)
        case "mermaid":
            text = mermaid(found)
        case _:
            text = draw(found, _width())
    if settings.json:
        write_json({"template": found.key, "format": format_, "graph": text})
    else:
        sys.stdout.write(text)


@template.command("schema")
def schema() -> None:
    """Print the JSON Schema of a template file, for editors."""
    from tasker_mp.template.schema import template_schema  # noqa: PLC0415

    write_json(template_schema())


@template.command("new")
@click.argument("name", metavar=_NAME)
@click.option("--steps", metavar="A,B,C", help="A chain of these (default: one step).")
@pass_settings
def new(settings: Settings, name: str, steps: str | None) -> None:
    """Write a template file to fill in, and say which handlers it lacks.

    Exit 2 where there is one already. With --json: {"file", "template", "missing"}.
    """
    from tasker_mp.cli.template_new import new_template  # noqa: PLC0415

    new_template(settings, name, steps)


def load(settings: Settings, paths: Iterable[Path] = ()) -> "TemplateSet":
    """The templates of the project, or of the files and folders given."""
    config = settings.config()
    from tasker_mp.template.parse import load_templates  # noqa: PLC0415

    return load_templates(list(paths) or [config.templates_path], config.environment)


def note_problems(found: "TemplateSet") -> None:
    if found.problems:
        say(f"left out: {_problem_count(found.problems)}; see: tasker-mp template validate")


def _find(settings: Settings, name: str) -> "Template":
    return load(settings).find(*parse_template_name(name))


def _width() -> int:
    import shutil  # noqa: PLC0415

    return shutil.get_terminal_size((120, 24)).columns


def _summary(t: "Template") -> dict[str, Any]:
    return {
        "namespace": t.namespace_name,
        "name": t.name,
        "version": t.version,
        "description": t.description,
        "steps": [step.name for step in t.steps],
    }


def _step_row(step: "StepDefinition") -> tuple[object, ...]:
    tries = step.retry.max_attempts if step.retry.retryable else 1
    limit = None if step.timeout_seconds is None else f"{step.timeout_seconds:g} s"
    method = "" if step.handler.method == "call" else f".{step.handler.method}"
    handler = f"{step.handler.callable}{method}"
    return (step.name, handler, tries, limit, ", ".join(step.dependencies))


def _problem_count(problems: list[Any]) -> str:
    files = len({problem.file for problem in problems})
    counted = _counted(len(problems), "problem")
    return f"{counted} in {_counted(files, 'file')}" if problems else counted


def _counted(count: int, noun: str) -> str:
    return f"{count or 'no'} {noun}{'' if count == 1 else 's'}"
