"""`stop`, `drain`, `pause`, `resume`, `log-level`: steer the supervisor of this project."""

import os
import select
from typing import TYPE_CHECKING, Any

import rich_click as click

from tasker_mp.cli.output import say, write_json
from tasker_mp.cli.settings import Settings, command, pass_settings
from tasker_mp.errors import EngineError, UnreachableError
from tasker_mp.log_line import LEVELS

if TYPE_CHECKING:
    from tasker_mp.config import Config

_MARGIN = 15.0
"""Seconds for what follows a drain: workers stopped, the database left."""


def ask_supervisor(settings: Settings, name: str, **details: Any) -> dict[str, Any]:
    """Its answer to a command; `UnreachableError` where none runs, `EngineError` if it refuses."""
    from tasker_mp.control import Command, ask  # noqa: PLC0415
    from tasker_mp.engine.runtime import RuntimeDirectory  # noqa: PLC0415

    answer = ask(RuntimeDirectory(settings.config().root).control_socket, Command(name, **details))
    if "error" in answer:
        raise EngineError(f"the supervisor refuses: {answer['error']}")
    return answer


def running_pid(config: "Config") -> int | None:
    """The process of the supervisor that runs in this project, None where none does."""
    from tasker_mp.control import Command, ask  # noqa: PLC0415
    from tasker_mp.engine.runtime import RuntimeDirectory  # noqa: PLC0415

    try:
        return ask(RuntimeDirectory(config.root).control_socket, Command("status")).get("pid")
    except UnreachableError:
        return None


@command("stop")
@click.option(
    "--timeout",
    type=click.FloatRange(0),
    metavar="S",
    help="Seconds to drain before it is stopped at once (default: worker.drain_timeout).",
)
@pass_settings
def stop(settings: Settings, timeout: float | None) -> None:
    """Drain the supervisor, and wait until it is gone."""
    limit = settings.config().worker.drain_timeout + _MARGIN if timeout is None else timeout
    pid = int(ask_supervisor(settings, "stop")["pid"])
    if not _gone(pid, limit):
        say(f"still draining after {limit:g} s: stopping at once")
        ask_supervisor(settings, "kill")
        if not _gone(pid, _MARGIN):
            raise EngineError(f"the supervisor (pid {pid}) does not stop; end it with: kill {pid}")
    _tell(settings, {"stopped": True, "pid": pid}, f"the supervisor (pid {pid}) has stopped")


@command("drain")
@pass_settings
def drain(settings: Settings) -> None:
    """Have the supervisor finish what its workers have begun, and leave; does not wait."""
    answer = ask_supervisor(settings, "drain")
    _tell(settings, answer, f"the supervisor (pid {answer['pid']}) drains, then stops")


@command("pause")
@pass_settings
def pause(settings: Settings) -> None:
    """Have the supervisor claim nothing new."""
    answer = ask_supervisor(settings, "pause")
    _tell(settings, answer, "paused: nothing new is claimed; go on with: tasker-mp resume")


@command("resume")
@pass_settings
def resume(settings: Settings) -> None:
    """Have a paused supervisor claim again."""
    _tell(settings, ask_supervisor(settings, "resume"), "running")


@command("log-level")
@click.argument("level", type=click.Choice(LEVELS))
@pass_settings
def log_level(settings: Settings, level: str) -> None:
    """Have the running supervisor log LEVEL and above; its workers from their next step on."""
    answer = ask_supervisor(settings, "log_level", level=level)
    _tell(settings, answer, f"logging {level} and above")


def _tell(settings: Settings, document: dict[str, Any], message: str) -> None:
    if settings.json:
        write_json(document)
    else:
        say(message)


def _gone(pid: int, limit: float) -> bool:
    """Whether the process ends within `limit` seconds."""
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([pidfd], [], [], limit)[0])
    finally:
        os.close(pidfd)
