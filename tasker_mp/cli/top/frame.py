"""A frame: the panels of the chosen view, laid out on so many columns and lines."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions
from rich.segment import Segment

from tasker_mp.cli.top.choice import Page
from tasker_mp.cli.top.layout import Block, side_by_side, stacked
from tasker_mp.cli.top.line import ASCII, Line, fit, printable, rule, span
from tasker_mp.cli.top.panels.counters import counters_panel
from tasker_mp.cli.top.panels.detail import failure_detail, worker_detail
from tasker_mp.cli.top.panels.footer import footer
from tasker_mp.cli.top.panels.header import header
from tasker_mp.cli.top.panels.health import health_panel
from tasker_mp.cli.top.panels.namespaces import namespaces_panel
from tasker_mp.cli.top.panels.pipeline import pipeline
from tasker_mp.cli.top.panels.trends import trends as trends_panel
from tasker_mp.cli.top.panels.troubles import events_panel, failures_panel
from tasker_mp.cli.top.panels.workers import workers_panel
from tasker_mp.cli.top.scene import Scene, failure_key, failures, workers
from tasker_mp.cli.top.styles import BAD, BOLD, DIM
from tasker_mp.observation import Observation

_TWO_COLUMNS = 150
_TALL = 36
_LISTED = 12
"""Rows of a list on a frame that is as long as it likes."""


@dataclass(frozen=True)
class Frame:
    """Lines that are all as wide as the frame."""

    lines: Sequence[Line]

    def __rich_console__(self, _console: Console, _options: ConsoleOptions) -> Iterable[Segment]:
        for line in self.lines:
            yield from line
            yield Segment.line()

    def ascii(self) -> "Frame":
        """As it is where the encoding has no lines and blocks to draw with."""
        return Frame(
            [
                [Segment(text.translate(ASCII), style) for text, style, _ in line]
                for line in self.lines
            ]
        )


def frame(scene: Scene, width: int, height: int | None = None) -> Frame:
    """`height` lines exactly, with the keys in the last one; or as many as it takes, without."""
    top = header(scene, width)
    if scene.panel is not None:
        top += scene.panel(width)
    if height is None:
        return Frame([*top, *_body(scene, width, None)])
    room = height - len(top) - 1
    body = _page(scene.choice.page, width, room) if scene.choice.page else _body(scene, width, room)
    lines = [*top, *body][: max(height - 1, 0)]
    blank = fit([], width)
    lines += [blank] * (height - 1 - len(lines))
    return Frame([*lines, footer(scene, width)])


def _page(page: Page, width: int, room: int) -> list[Line]:
    shown = page.folded(width)[page.line : page.line + max(room - 1, 0)]
    return [rule(page.title, width), *(fit([span(text)], width) for text in shown)]


def _body(scene: Scene, width: int, room: int | None) -> list[Line]:
    if scene.seen is None:
        return _nobody(scene, width)
    blocks = _view(scene, scene.seen, width, room)
    if room is None:
        return stacked(blocks, width, sum(block.natural for block in blocks))
    return stacked(blocks, width, room)


def _nobody(scene: Scene, width: int) -> list[Line]:
    blank = fit([], width)
    texts = [
        (scene.trouble or "no supervisor is running here", BAD if scene.trouble else BOLD),
        ("start one with: tasker-mp start", DIM),
        ("waiting for it …", DIM),
    ]
    return [blank, *(fit([span(f"  {printable(text)}", style)], width) for text, style in texts)]


def _view(scene: Scene, seen: Observation, width: int, room: int | None) -> list[Block]:
    blocks: list[Block]
    match scene.choice.view:
        case "pipeline":
            blocks = [_pipeline(seen), _trends(scene, 100), _counters(seen)]
        case "workers":
            blocks = [_workers(scene, seen), *_worker_detail(scene, seen, width)]
        case "namespaces":
            blocks = [_namespaces(scene, seen)]
        case "failures" | "quarantined" as name:
            listed = _failures(scene, seen, only_quarantined=name == "quarantined")
            blocks = [listed, *_failure_detail(scene, seen, width)]
        case "events":
            blocks = [_events(scene, seen)]
        case "tables":
            blocks = [_health(seen), _namespaces(scene, seen), _counters(seen)]
        case _:
            tall = room is not None and room >= _TALL
            blocks = _overview(scene, seen, width, tall=tall, bounded=room is not None)
    return blocks


def _overview(
    scene: Scene, seen: Observation, width: int, *, tall: bool, bounded: bool
) -> list[Block]:
    listed = 10_000 if bounded else _LISTED
    trends = [_trends(scene, 7 if tall else 3)] if bounded else []  # one look has no past
    top = [_pipeline(seen), *trends, _workers(scene, seen)]
    lists = [
        _namespaces(scene, seen),
        _health(seen),
        _failures(scene, seen, listed),
        _events(scene, seen, listed),
    ]
    quarantined = _failures(scene, seen, listed, only_quarantined=True)
    if width < _TWO_COLUMNS:
        shown = failures(seen, scene.choice, only_quarantined=True) and (tall or not bounded)
        return [*top, lists[0], lists[2], *([quarantined] if shown else []), lists[3], lists[1]]
    return [
        *top,
        side_by_side(lists[0], lists[1], 0.5),
        side_by_side(lists[2], _below(quarantined, lists[3]), 0.6),
    ]


def _below(first: Block, second: Block) -> Block:
    """One block of two that are drawn one below the other."""

    def draw(width: int, height: int) -> list[Line]:
        return stacked([first, second], width, height)

    importance = max(first.importance, second.importance)
    return Block(importance, second.least, first.natural + second.natural, draw)


# -- the blocks: how important each is, and how many lines it needs and has ------------------------


def _pipeline(seen: Observation) -> Block:
    return Block(100, 7, 7, lambda width, _height: pipeline(seen, width))


def _trends(scene: Scene, natural: int) -> Block:
    return Block(80, 3, natural, lambda width, height: trends_panel(scene.history, width, height))


def _workers(scene: Scene, seen: Observation) -> Block:
    shown = len(workers(seen, scene.choice))
    return Block(
        90,
        2 + min(shown, 4),
        2 + shown,
        lambda width, height: workers_panel(seen, scene.choice, width, height),
    )


def _namespaces(scene: Scene, seen: Observation) -> Block:
    number = len(seen.snapshot.namespaces)
    return Block(
        60,
        2 + min(number, 2),
        2 + number,
        lambda width, height: namespaces_panel(seen, scene.choice, width, height),
    )


def _failures(
    scene: Scene, seen: Observation, listed: int = 10_000, *, only_quarantined: bool = False
) -> Block:
    number = len(failures(seen, scene.choice, only_quarantined=only_quarantined))

    def draw(width: int, height: int) -> list[Line]:
        return failures_panel(seen, scene.choice, width, height, only_quarantined=only_quarantined)

    natural = 2 + min(number, listed) if number else 2
    return Block(45 if only_quarantined else 70, min(natural, 3), natural, draw)


def _events(scene: Scene, seen: Observation, listed: int = 10_000) -> Block:
    number = min(len(seen.snapshot.events), listed)
    return Block(
        50,
        3 if number else 2,
        2 + number,
        lambda width, height: events_panel(seen, scene.choice, width, height),
    )


def _health(seen: Observation) -> Block:
    return Block(40, 3, 3, lambda width, _height: health_panel(seen, width))


def _counters(seen: Observation) -> Block:
    natural = 2 + len(seen.snapshot.stats)
    return Block(30, 3, natural, lambda width, height: counters_panel(seen, width, height))


def _worker_detail(scene: Scene, seen: Observation, width: int) -> list[Block]:
    for view in workers(seen, scene.choice):
        if view.worker.index == scene.choice.worker:
            return [_fixed(worker_detail(view, width))]
    return []


def _failure_detail(scene: Scene, seen: Observation, width: int) -> list[Block]:
    for failure in failures(seen, scene.choice):
        if failure_key(failure) == scene.choice.failure:
            return [_fixed(failure_detail(failure, width))]
    return []


def _fixed(lines: list[Line]) -> Block:
    return Block(10, min(len(lines), 5), len(lines), lambda _width, _height: lines)
