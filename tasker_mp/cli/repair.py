"""What all commands that repair by hand share: who and why, and how the changes are shown."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import rich_click as click

from tasker_mp.cli.output import show_table, write_json
from tasker_mp.cli.settings import Group, Settings, pass_settings

if TYPE_CHECKING:
    from tasker_mp.client.client import Client
    from tasker_mp.client.repair import Repair

Options = Callable[[Any], Any]


def repair_command(
    noun: Group, name: str, *options: Options, reason_required: bool = False
) -> Callable[[Callable[..., "Repair"]], click.Command]:
    """Makes `NOUN NAME … --reason --by` of a call to a client; its docstring is the help.

    `options` are what click decorates a command with; the call is given their values by name.
    """
    why = click.option("--reason", metavar="TEXT", required=reason_required, help="Kept with it.")
    by = click.option("--by", metavar="WHO", help="Kept with it (default: user@host).")

    def decorate(repair: Callable[..., "Repair"]) -> click.Command:
        @pass_settings
        def run(settings: Settings, /, **given: Any) -> None:
            with open_client(settings) as client:
                show_repair(settings, repair(client, **given))

        for option in reversed([*options, why, by]):
            option(run)
        return noun.command(name, help=repair.__doc__)(run)

    return decorate


def show_repair(settings: Settings, repair: "Repair") -> None:
    """What a repair changed, the task's own change last."""
    if settings.json:
        write_json(repair)
        return
    rows = [
        (change.step or "(task)", change.from_state, change.to_state) for change in repair.changes
    ]
    show_table(("step", "was", "is now"), rows)


def open_client(settings: Settings) -> "Client":
    """A client of the configured database, to be closed."""
    config = settings.config()
    from tasker_mp.client.client import Client  # noqa: PLC0415

    return Client(config=config)
