"""The stages that a step goes through, side by side, with the one that the others wait for."""

from collections.abc import Callable

from rich.style import Style

from tasker_mp.cli.top.bottleneck import Bottleneck, bottleneck
from tasker_mp.cli.top.line import Line, cut, fit, rule, span
from tasker_mp.cli.top.quantities import count, milliseconds, rate
from tasker_mp.cli.top.styles import BAD, BOLD, DIM, GOOD, PLAIN, WARN
from tasker_mp.observation import Observation
from tasker_mp.snapshot import STAGES

_LABEL = 7
_WIDEST = 24


def pipeline(seen: Observation, width: int) -> list[Line]:
    """Seven lines; the last says what is marked, and why."""
    found = bottleneck(seen)
    marked = found.stage if found else None
    column = min((width - _LABEL) // len(STAGES), _WIDEST)
    percentiles = {stage: seen.percentiles(stage) for stage in STAGES}
    stages = seen.snapshot.stages

    def row(label: str, cell: Callable[[str], str], style: Style = PLAIN) -> Line:
        line: Line = [span(label.ljust(_LABEL), DIM)]
        for stage in STAGES:
            cell_style = WARN if stage == marked and style is PLAIN else style
            line.append(span(cell(stage).rjust(column), cell_style))
        return fit(line, width)

    def depth(stage: str) -> str:
        return count(stages[stage].depth) if stage in stages else "-"

    return [
        rule("pipeline", width),
        fit(_names(marked, column), width),
        row("rate/s", lambda stage: rate(seen.rates.stages.get(stage))),
        row("depth", depth),
        row("p50", lambda stage: milliseconds(percentiles[stage][0])),
        row("p99", lambda stage: milliseconds(percentiles[stage][1])),
        fit(_verdict(found, seen, width), width),
    ]


def _names(marked: str | None, column: int) -> Line:
    line: Line = [span(" " * _LABEL)]
    for stage in STAGES:
        mark = "▸" if stage == marked else ""
        name = f" {mark}{stage}"
        arrow = "" if stage == STAGES[0] else "─" * (column - len(name) - 2) + "►"
        line.append(span(arrow.rjust(column - len(name)), DIM))
        line.append(span(name, BAD if mark else BOLD))
    return line


def _verdict(found: Bottleneck | None, seen: Observation, width: int) -> Line:
    if found is not None:
        return [span(cut(f"▸ bottleneck: {found.stage}: {found.reason}", width), WARN)]
    if seen.snapshot.state == "paused":
        return [span("paused: nothing new is claimed", WARN)]
    if not seen.rates.steps:
        return [span("idle", DIM)]
    return [span("no bottleneck: nothing waits", GOOD)]
