"""Shares the lines of a frame among its panels."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tasker_mp.cli.top.line import Line, beside, halves

Draw = Callable[[int, int], list[Line]]
"""The lines of a panel, for a width and at most so many."""


@dataclass(frozen=True)
class Block:
    """Needs `least` lines to tell anything and has `natural` to tell; of two, the one with the
    higher `importance` gets its lines first."""

    importance: int
    least: int
    natural: int
    draw: Draw


def stacked(blocks: Sequence[Block], width: int, height: int) -> list[Line]:
    """One below the other, in their order; those that find no room are left out."""
    heights = shares(blocks, height)
    lines: list[Line] = []
    for block, share in zip(blocks, heights, strict=True):
        if share:
            lines += block.draw(width, share)[:share]
    return lines


def shares(blocks: Sequence[Block], height: int) -> list[int]:
    """First what each needs, by importance; then a line each in turn until all is told."""
    ranked = sorted(range(len(blocks)), key=lambda i: -blocks[i].importance)
    given = [0] * len(blocks)
    left = height
    for i in ranked:
        if blocks[i].least <= left:
            given[i] = blocks[i].least
            left -= given[i]
    while left > 0:
        wanting = [i for i in ranked if 0 < given[i] < blocks[i].natural]
        for i in wanting[:left]:
            given[i] += 1
        if not wanting:
            break
        left -= len(wanting[:left])
    return given


def side_by_side(left: Block, right: Block, share: float) -> Block:
    """`left` gets that share of the width."""

    def draw(width: int, height: int) -> list[Line]:
        widths = halves(width, share)
        return beside(left.draw(widths[0], height), right.draw(widths[1], height), widths)

    return Block(
        max(left.importance, right.importance),
        max(left.least, right.least),
        max(left.natural, right.natural),
        draw,
    )
