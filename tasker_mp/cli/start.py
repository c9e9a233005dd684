"""`start`: a supervisor in the foreground."""

import sys
from contextlib import ExitStack, suppress
from functools import partial
from typing import TYPE_CHECKING

import rich_click as click

from tasker_mp.cli.output import say, write_json
from tasker_mp.cli.settings import Settings, command, pass_settings
from tasker_mp.errors import EngineError

if TYPE_CHECKING:
    from tasker_mp.cli.top.watch import Watch
    from tasker_mp.config import Config
    from tasker_mp.system import System

_MODES = ("hybrid", "event_driven", "polling")


@command("start")
@click.option("--workers", type=click.IntRange(1, 4096), help="Processes (default: one per core).")
@click.option("--mode", type=click.Choice(_MODES), help="How work is found (default: hybrid).")
@click.option("--namespaces", metavar="A,B", help="Serve these only (default: all templates').")
@click.option("--strict", is_flag=True, help="Refuse to run with a bad template or handler.")
@click.option("--top", is_flag=True, help="Show the live view of `top` while it runs.")
@pass_settings
def start(
    settings: Settings,
    workers: int | None,
    mode: str | None,
    namespaces: str | None,
    strict: bool,
    top: bool,
) -> int:
    """Run a supervisor until SIGTERM or SIGINT.

    It then finishes what its workers have begun; a second signal stops it at once. With --json a
    document on stdout says that it is ready.
    """
    config = settings.config(
        worker__count=workers, worker__mode=mode, worker__namespaces=namespaces
    )
    if top:
        return _start_watched(settings, config, strict=strict)
    from tasker_mp.engine.run import run_supervisor  # noqa: PLC0415
    from tasker_mp.engine.supervisor import Supervisor  # noqa: PLC0415

    def ready(supervisor: Supervisor) -> None:
        if settings.json:
            write_json(
                {
                    "ready": True,
                    "worker_id": supervisor.worker_id,
                    "namespaces": supervisor.namespaces,
                }
            )

    run_supervisor(config, strict=strict, on_ready=ready)
    return 0


def _start_watched(settings: Settings, config: "Config", *, strict: bool) -> int:
    """The supervisor in a process of its own, so that drawing takes none of its time."""
    if settings.json:
        raise click.UsageError("--top draws for people: leave out --json, or use: top --json")
    from tasker_mp.cli.repair import open_client  # noqa: PLC0415
    from tasker_mp.cli.top.aside import Aside  # noqa: PLC0415
    from tasker_mp.cli.top.terminal import require_terminal  # noqa: PLC0415
    from tasker_mp.cli.top.watch import Watch  # noqa: PLC0415
    from tasker_mp.system import bootstrap  # noqa: PLC0415

    require_terminal(sys.stdout.fileno(), "leave out --top")
    question = "stop the supervisor? it finishes what its workers have begun"
    watch = Watch(config.root, lambda: open_client(settings), quit_question=question)
    say("starting a supervisor …")
    with ExitStack() as stack:
        aside = stack.enter_context(Aside())
        system = stack.enter_context(bootstrap(config, strict=strict, stderr=aside.fd))
        aside.started()
        with aside.held():
            _watch(watch, system)
    return _exit_code(system)


def _watch(watch: "Watch", system: "System") -> None:
    """The first signal, or `q`, drains; the second stops at once."""
    for end in (system.transition_to_graceful_shutdown, partial(system.stop, 0)):
        with suppress(KeyboardInterrupt, SystemExit):
            watch.run(until=lambda: not system.is_running())
        if not system.is_running():
            return
        end()


def _exit_code(system: "System") -> int:
    code = system.exit_code or 0
    if code < 0:
        raise EngineError(f"the supervisor was killed by signal {-code}")
    return code
