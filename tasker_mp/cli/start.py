"""`start`: a supervisor in the foreground."""

import rich_click as click

from tasker_mp.cli.output import write_json
from tasker_mp.cli.settings import Settings, command, pass_settings

_MODES = ("hybrid", "event_driven", "polling")


@command("start")
@click.option("--workers", type=click.IntRange(1, 4096), help="Processes (default: one per core).")
@click.option("--mode", type=click.Choice(_MODES), help="How work is found (default: hybrid).")
@click.option("--namespaces", metavar="A,B", help="Serve these only (default: all templates').")
@click.option("--strict", is_flag=True, help="Refuse to run with a bad template or handler.")
@pass_settings
def start(
    settings: Settings, workers: int | None, mode: str | None, namespaces: str | None, strict: bool
) -> None:
    """Run a supervisor until SIGTERM or SIGINT.

    It then finishes what its workers have begun; a second signal stops it at once. With --json a
    document on stdout says that it is ready.
    """
    config = settings.config(
        worker__count=workers, worker__mode=mode, worker__namespaces=namespaces
    )
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
