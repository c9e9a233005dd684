"""A template's DAG as text: boxes and lines for a terminal, DOT, or Mermaid."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from tasker_mp.template.layout import Node, layered
from tasker_mp.template.model import StepDefinition, Template

_UP, _DOWN, _LEFT, _RIGHT = 1, 2, 4, 8
_CHARACTERS: Final = dict(
    zip(
        (_UP | _DOWN, _LEFT | _RIGHT, _UP | _RIGHT, _UP | _LEFT, _DOWN | _RIGHT, _DOWN | _LEFT),
        "│─└┘┌┐",
        strict=True,
    )
) | {
    _UP | _DOWN | _RIGHT: "├",
    _UP | _DOWN | _LEFT: "┤",
    _DOWN | _LEFT | _RIGHT: "┬",
    _UP | _LEFT | _RIGHT: "┴",
    _UP | _DOWN | _LEFT | _RIGHT: "┼",
}


class Place(NamedTuple):
    """Where the inside of a node's box is: characters `start` to `end` of `lines` from `top`."""

    name: str
    top: int
    lines: int
    start: int
    end: int


class Picture(NamedTuple):
    """A drawn DAG, and where its boxes are."""

    lines: list[str]
    places: list[Place]


def draw(template: Template, width: int = 120) -> str:
    """The steps as boxes, parents above children; as a list where that needs more columns than
    `width`. Lines that only cross are drawn one over the other, never with a junction."""
    dependencies = {step.name: step.dependencies for step in template.steps}
    labels = {step.name: _label(step) for step in template.steps}
    drawn = picture(dependencies, labels, width)
    return _listed(template) if drawn is None else "\n".join(drawn.lines) + "\n"


def picture(
    dependencies: Mapping[str, Sequence[str]], labels: Mapping[str, str], width: int
) -> Picture | None:
    """The nodes as boxes with their labels (of one line or several), parents above children; None
    where that needs more columns than `width`."""
    layers = layered(dependencies, labels, width)
    if layers is None:
        return None
    lines: list[str] = []
    places: list[Place] = []
    for index, layer in enumerate(layers):
        boxes = _boxes(layer)
        places += _places(layer, len(lines) + 1, len(boxes) - 2)
        lines += boxes
        if index + 1 < len(layers):
            lines += _channel(layer, layers[index + 1])
    return Picture([line.rstrip() for line in lines], places)


def dot(template: Template) -> str:
    """The DAG in Graphviz's language."""
    lines = [f"digraph {_quoted(template.key)} {{", "  rankdir=TB;", "  node [shape=box];"]
    for step in template.steps:
        shape = ", shape=diamond" if step.type == "decision" else ""
        lines.append(f"  {_quoted(step.name)} [label={_quoted(_label(step))}{shape}];")
    lines += [f"  {_quoted(a)} -> {_quoted(b)};" for a, b in _edges(template)]
    return "\n".join([*lines, "}"]) + "\n"


def mermaid(template: Template) -> str:
    """The DAG as a Mermaid flowchart; steps are numbered, since names may hold any character."""
    number = {step.name: f"s{index}" for index, step in enumerate(template.steps, 1)}
    lines = ["flowchart TD"]
    for step in template.steps:
        left, right = ("{", "}") if step.type == "decision" else ("[", "]")
        label = _label(step).replace("#", "#35;").replace('"', "#quot;")
        lines.append(f'  {number[step.name]}{left}"{label}"{right}')
    lines += [f"  {number[a]} --> {number[b]}" for a, b in _edges(template)]
    return "\n".join(lines) + "\n"


def _label(step: StepDefinition) -> str:
    return step.name if step.type == "standard" else f"{step.name} ({step.type})"


def _edges(template: Template) -> Iterable[tuple[str, str]]:
    for step in template.steps:
        for parent in dict.fromkeys(step.dependencies):
            yield parent, step.name


def _quoted(text: str) -> str:
    return msgspec.json.encode(text).decode()


def _listed(template: Template) -> str:
    lines = []
    for step in template.steps:
        parents = ", ".join(step.dependencies[:5])
        more = f", … ({len(step.dependencies)} in all)" if len(step.dependencies) > 5 else ""
        lines.append(_label(step) + (f"  ← {parents}{more}" if parents else ""))
    return "\n".join(lines) + "\n"


# -- Boxes and the lines between them -------------------------------------------------------------


def _boxes(layer: list[Node]) -> list[str]:
    """The rows of a layer: a box's top, its label, its bottom."""
    inside = max(node.label.count("\n") + 1 if node.label else 1 for node in layer)
    rows = [""] * (inside + 2)
    for node in layer:
        left = node.centre - node.half
        parts = _passing(node, inside) if node.label is None else _box(node, node.label, inside)
        rows = [row.ljust(left) + part for row, part in zip(rows, parts, strict=True)]
    return rows


def _passing(node: Node, inside: int) -> list[str]:
    return [" ┌┘" if node.jogs else " │", *[" │"] * (inside + 1)]


def _box(node: Node, label: str, inside: int) -> list[str]:
    room, half = node.width - 2, node.half - 1
    texts = label.split("\n")
    texts += [""] * (inside - len(texts))
    port = "┬" if node.children else "─"
    return [
        f"┌{'─' * room}┐",
        *(f"│{text:^{room}}│" for text in texts),
        f"└{'─' * half}{port}{'─' * half}┘",
    ]


def _places(layer: list[Node], top: int, lines: int) -> list[Place]:
    return [
        Place(node.name, top, lines, node.centre - node.half + 1, node.centre + node.half)
        for node in layer
        if node.label is not None
    ]


def _channel(upper: list[Node], lower: list[Node]) -> list[str]:
    """The rows between two layers: one track for each parent whose line must turn."""
    ends = _ports(upper, lower)
    rows = _tracks(ends)
    height = max(rows.values(), default=-1) + 1
    arms: list[dict[int, dict[Node, int]]] = [{} for _ in range(height)]
    for parent, columns in ends.items():
        _route(arms, parent, columns, rows.get(parent))
    lines = [_row(cells) for cells in arms]
    heads = {column: node for parent in upper for column, node in ends[parent].items()}
    marks = {c: "│" if node.label is None else "▼" for c, node in heads.items()}
    return [*lines, _text(marks)]


def _ports(upper: list[Node], lower: list[Node]) -> dict[Node, dict[int, Node]]:
    """Each parent's columns above its children; no two lines enter a box in the same column."""
    ends: dict[Node, dict[int, Node]] = {parent: {} for parent in upper}
    exits = {parent.centre: parent for parent in upper}
    for child in lower:
        parents = sorted(child.parents, key=lambda parent: parent.centre)
        for index, parent in enumerate(parents):
            column = child.centre + 2 * index - (len(parents) - 1)
            if exits.get(column, parent) is not parent:
                # Another parent's line comes down here. The next column is free: ports are two
                # apart, and exits further.
                column += 1
                child.jogs = child.label is None
            ends[parent][column] = child
    return ends


def _tracks(ends: dict[Node, dict[int, Node]]) -> dict[Node, int]:
    """The row of every line that turns; lines that do not overlap share one."""
    spans = sorted(
        (min(parent.centre, *columns), max(parent.centre, *columns), index, parent)
        for index, (parent, columns) in enumerate(ends.items())
        if columns and set(columns) != {parent.centre}
    )
    rows: dict[Node, int] = {}
    filled: list[int] = []
    for left, right, _, parent in spans:
        row = next((r for r, end in enumerate(filled) if end + 1 < left), len(filled))
        filled[row : row + 1] = [right]
        rows[parent] = row
    return rows


def _route(
    arms: list[dict[int, dict[Node, int]]],
    parent: Node,
    columns: dict[int, Node],
    track: int | None,
) -> None:
    def add(row: int, column: int, arm: int) -> None:
        cell = arms[row].setdefault(column, {})
        cell[parent] = cell.get(parent, 0) | arm

    turn = len(arms) if track is None else track
    if columns:
        for row in range(turn):
            add(row, parent.centre, _UP | _DOWN)
    if track is None:
        return
    add(track, parent.centre, _UP)
    left, right = min(parent.centre, *columns), max(parent.centre, *columns)
    for column in range(left, right + 1):
        add(track, column, (_LEFT if column > left else 0) | (_RIGHT if column < right else 0))
    for column in columns:
        add(track, column, _DOWN)
        for row in range(track + 1, len(arms)):
            add(row, column, _UP | _DOWN)


def _row(cells: dict[int, dict[Node, int]]) -> str:
    return _text(
        {
            column: _CHARACTERS[next(iter(nets.values()))] if len(nets) == 1 else "│"
            for column, nets in cells.items()
        }
    )


def _text(marks: dict[int, str]) -> str:
    return "".join(marks.get(column, " ") for column in range(max(marks, default=-1) + 1))
