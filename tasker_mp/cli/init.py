"""`init DIR`: a new project that runs, with a workflow, its handlers and their tests."""

import shlex
import sys
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

import rich_click as click

from tasker_mp.cli.output import say, write_json
from tasker_mp.cli.settings import Settings, command, pass_settings
from tasker_mp.cli.writing import write_new

_SUFFIX = ".txt"
_RENAMED = {"gitignore": ".gitignore"}
"""Git would obey the file where it is kept."""


@command("init")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@pass_settings
def init(settings: Settings, folder: Path) -> None:
    """Make a project in DIR that runs and passes its own tests.

    Nothing that is there is changed: exit 2 where one of the files exists. With --json:
    {"project", "files", "next"}.
    """
    project = folder.absolute()
    scaffold = dict(sorted(_scaffold(files("tasker_mp.cli") / "scaffold", "")))
    write_new(project, scaffold)
    steps = _next_steps(folder)
    if settings.json:
        write_json({"project": str(project), "files": list(scaffold), "next": steps})
        return
    sys.stdout.write("".join(f"{folder / name}\n" for name in scaffold))
    say("\nnext:")
    for step in steps:
        say(f"  {step}")


def _scaffold(folder: Traversable, prefix: str) -> list[tuple[str, str]]:
    """(path in the project, text) of every file below."""
    found = []
    for entry in folder.iterdir():
        if entry.is_dir():
            found += _scaffold(entry, f"{prefix}{entry.name}/")
        elif entry.name.endswith(_SUFFIX):
            name = entry.name.removesuffix(_SUFFIX)
            text = entry.read_text(encoding="utf-8")
            found.append((f"{prefix}{_RENAMED.get(name, name)}", text))
    return found


def _next_steps(folder: Path) -> list[str]:
    into = [] if folder == Path() else [f"cd {shlex.quote(str(folder))}"]
    return [
        *into,
        "pytest",
        "tasker-mp start",
        """tasker-mp submit hello/greeting --context '{"name": "Ada"}' --wait""",
    ]
