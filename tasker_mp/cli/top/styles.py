"""The looks of a frame, by what they mean; nothing is told by colour alone."""

from typing import Final

from rich.style import Style

PLAIN: Final = Style.null()
DIM: Final = Style(dim=True)
BOLD: Final = Style(bold=True)
HEAD: Final = Style(dim=True)
TITLE: Final = Style(bold=True, color="cyan")
RULE: Final = Style(color="bright_black")
GOOD: Final = Style(color="green")
WARN: Final = Style(color="yellow")
BAD: Final = Style(color="red", bold=True)
BUSY: Final = Style(color="cyan")
CHOSEN: Final = Style(reverse=True)
BAR_REST: Final = Style(color="bright_black")
THROUGHPUT: Final = Style(color="green")
LATENCY: Final = Style(color="magenta")
KEY: Final = Style(reverse=True)
ASK: Final = Style(color="yellow", bold=True, reverse=True)

STATES: Final = {
    "running": Style(color="green", bold=True, reverse=True),
    "starting": Style(color="cyan", bold=True, reverse=True),
    "paused": Style(color="yellow", bold=True, reverse=True),
    "draining": Style(color="yellow", bold=True, reverse=True),
    "stopped": Style(color="red", bold=True, reverse=True),
    "gone": Style(color="red", bold=True, reverse=True),
    "silent": Style(color="red", bold=True, reverse=True),
}
WORKERS: Final = {"busy": BUSY, "idle": DIM, "starting": WARN, "dead": BAD}
LEVELS: Final = {"warning": WARN, "error": BAD, "critical": BAD}
