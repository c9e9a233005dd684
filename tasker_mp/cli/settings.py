"""The options that every command takes, before its name or after, and the configuration they give.

A command returns its exit code, or None for 0.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import rich_click
from rich_click import RichCommand, RichGroup

if TYPE_CHECKING:
    from tasker_mp.config import Config

HELP_NAMES = {"help_option_names": ["-h", "--help"]}


@dataclass
class Settings:
    """What the global options say."""

    config_path: Path | None = None
    environment: str | None = None
    dsn: str | None = None
    json: bool = False
    debug: bool = False

    def config(self, **overrides: object) -> "Config":
        """The configuration; `overrides` are `section__key=value`, None where not given."""
        from tasker_mp.config import load_config  # noqa: PLC0415

        flags = {name.replace("__", "."): value for name, value in overrides.items()}
        return load_config(self.config_path, self.environment, {"database.url": self.dsn, **flags})


pass_settings = click.make_pass_decorator(Settings)


def global_options(*, only_json_shown: bool) -> list[click.Parameter]:
    """Of one command; they put their values into `Settings` and not among its arguments."""

    def option(*names: str, **attributes: Any) -> click.Parameter:
        hidden = only_json_shown and "--json" not in names
        return rich_click.RichOption(
            list(names),
            expose_value=False,
            is_eager=True,
            callback=_keep,
            hidden=hidden,
            **attributes,
        )

    return [
        option(
            "--config",
            "config_path",
            metavar="PATH",
            type=click.Path(path_type=Path),
            help="Configuration file or folder (default: config, or $TASKER_CONFIG_PATH).",
        ),
        option(
            "--env",
            "environment",
            metavar="NAME",
            help="Environment (default: development, or $TASKER_ENV).",
        ),
        option("--dsn", metavar="URL", help="Database: a PostgreSQL DSN, or embedded."),
        option("--json", is_flag=True, default=None, help="Print one JSON document on stdout."),
        option("--debug", is_flag=True, default=None, help="Show the traceback of an error."),
    ]


def _keep(context: click.Context, option: click.Parameter, value: object) -> None:
    if value is not None and option.name is not None:
        setattr(context.ensure_object(Settings), option.name, value)


class Command(RichCommand):
    """A command that also takes the global options after its name; only `--json` is in its help."""

    def __init__(self, *args: Any, **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self.params += global_options(only_json_shown=True)
        self.context_settings = {**HELP_NAMES, **self.context_settings}


class Group(RichGroup):
    """Commands of one noun."""

    command_class = Command

    def __init__(self, *args: Any, **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self.params += global_options(only_json_shown=True)
        self.context_settings = {**HELP_NAMES, **self.context_settings}


def command(name: str) -> Callable[[Callable[..., Any]], Command]:
    """A command of its own, outside of any noun's group."""
    return rich_click.command(name, cls=Command)


def group(name: str) -> Callable[[Callable[..., Any]], Group]:
    return rich_click.group(name, cls=Group)
