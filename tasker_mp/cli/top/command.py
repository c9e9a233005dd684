"""`top`: the live view of the supervisor that runs in this project."""

import math
import os
import sys
import time
from typing import TYPE_CHECKING

import rich_click as click

from tasker_mp.cli.settings import Settings, command, pass_settings
from tasker_mp.errors import UnreachableError

if TYPE_CHECKING:
    from pathlib import Path

    from tasker_mp.observation import Observation

_DEFAULT_REFRESH = 1.0
_WIDTH = 100
"""Columns of a frame that is written to no terminal."""
_NOBODY = "no supervisor is running here; start one with: tasker-mp start"


def _number(_ctx: click.Context, _option: click.Parameter, value: float) -> float:
    if math.isnan(value):  # which no range refuses
        raise click.BadParameter(f"{value} is not a number of seconds; give one, such as 1")
    return value


@command("top")
@click.option("--once", is_flag=True, help="Print one frame and leave; exit 3 where none runs.")
@click.option(
    "--refresh",
    type=click.FloatRange(0.1, 60),
    default=_DEFAULT_REFRESH,
    show_default=True,
    callback=_number,
    metavar="S",
    help="Seconds from frame to frame.",
)
@pass_settings
def top(settings: Settings, once: bool, refresh: float) -> None:
    """Watch the running supervisor live, and steer it; `?` shows the keys.

    With --json a document a line, as often as a frame would be drawn. Where no supervisor runs it
    waits for one.
    """
    root = settings.config().root
    if settings.json:
        _stream(root, refresh, once=once)
    elif once:
        _print_frame(root)
    else:
        _watch(settings, root, refresh)


def _watch(settings: Settings, root: "Path", refresh: float) -> None:
    from tasker_mp.cli.repair import open_client  # noqa: PLC0415
    from tasker_mp.cli.top.terminal import require_terminal  # noqa: PLC0415
    from tasker_mp.cli.top.watch import Watch  # noqa: PLC0415

    require_terminal(sys.stdout.fileno(), "use --once or --json")
    Watch(root, lambda: open_client(settings), refresh=refresh).run()


def _print_frame(root: "Path") -> None:
    from tasker_mp.cli.output import console  # noqa: PLC0415
    from tasker_mp.cli.top.frame import frame  # noqa: PLC0415
    from tasker_mp.cli.top.painter import is_unicode  # noqa: PLC0415
    from tasker_mp.cli.top.scene import Scene  # noqa: PLC0415

    scene = Scene(seen=_look(root))
    out = console(sys.stdout)
    bounded = out.is_terminal or "COLUMNS" in os.environ
    drawn = frame(scene, out.width if bounded else _WIDTH)
    out.print(drawn if is_unicode(out.encoding) else drawn.ascii(), end="")


def _look(root: "Path") -> "Observation":
    from tasker_mp.observer import Observer  # noqa: PLC0415

    seen = Observer(root).look()
    if seen is None:
        raise UnreachableError(_NOBODY)
    return seen


def _stream(root: "Path", refresh: float, *, once: bool) -> None:
    import msgspec  # noqa: PLC0415

    from tasker_mp.cli.output import write_json  # noqa: PLC0415
    from tasker_mp.cli.top.document import document  # noqa: PLC0415
    from tasker_mp.observer import Observer  # noqa: PLC0415

    if once:
        try:
            seen = _look(root)
        except UnreachableError as error:
            write_json({"running": False, "error": str(error)})
            raise
        write_json(document(seen))
        return
    observer = Observer(root)
    while True:
        now = observer.look()
        found = {"running": False, "error": _NOBODY} if now is None else document(now)
        sys.stdout.buffer.write(msgspec.json.encode(found) + b"\n")
        sys.stdout.flush()
        time.sleep(refresh)
