"""Where the nodes of a DAG go on a page: layers by depth, ordered so that few lines cross."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tasker_mp.template.dag import topological_order

GAP = 2
"""Columns between neighbours of a layer."""

_SWEEPS = 4


@dataclass(eq=False)
class Node:
    """A box, or where `label` is None a line on its way to a deeper layer.

    It covers the columns `centre - half` to `centre + half`. A passing line enters at `centre`, or
    one column right of it where `jogs`. A label may have several lines.
    """

    label: str | None
    name: str = ""
    half: int = 0
    centre: int = 0
    jogs: bool = False
    parents: list[Node] = field(default_factory=list)
    children: list[Node] = field(default_factory=list)

    @property
    def width(self) -> int:
        return 2 * self.half + 1


def layered(
    dependencies: Mapping[str, Sequence[str]], labels: Mapping[str, str], width: int
) -> list[list[Node]] | None:
    """The layers from the roots down, with columns from 0; None where they need more than
    `width`."""
    layers = _layers(dependencies, labels, width)
    if layers is None:
        return None
    for layer in layers:
        for node in layer:
            # Room for the box's sides and for one port a parent, on every second column.
            longest = max(map(len, node.label.split("\n"))) if node.label else 0
            needed = max(longest + 4, 2 * len(node.parents) + 3) if node.label else 3
            node.half = needed // 2
    widest = max(map(_extent, layers))
    if widest > width:
        return None
    _order(layers)
    for layer in layers:
        _place(layer, widest)
    return layers


def _layers(
    dependencies: Mapping[str, Sequence[str]], labels: Mapping[str, str], width: int
) -> list[list[Node]] | None:
    layers: list[list[Node]] = []
    depth: dict[str, int] = {}
    # Each step's line at each depth: its box first, then what carries it further down.
    lines: dict[tuple[str, int], Node] = {}
    for name in topological_order(dependencies):
        parents = list(dict.fromkeys(dependencies[name]))
        depth[name] = 1 + max((depth[parent] for parent in parents), default=-1)
        node = _add(layers, depth[name], Node(labels[name], name))
        lines[name, depth[name]] = node
        for parent in parents:
            above = lines[parent, depth[parent]]
            for level in range(depth[parent] + 1, depth[name]):
                if (parent, level) not in lines:
                    passing = _add(layers, level, Node(None))
                    lines[parent, level] = passing
                    _connect(above, passing)
                    if len(layers[level]) * (3 + GAP) > width + GAP:
                        return None
                above = lines[parent, level]
            _connect(above, node)
    return layers


def _add(layers: list[list[Node]], level: int, node: Node) -> Node:
    while len(layers) <= level:
        layers.append([])
    layers[level].append(node)
    return node


def _connect(parent: Node, child: Node) -> None:
    parent.children.append(child)
    child.parents.append(parent)


def _extent(layer: list[Node]) -> int:
    return sum(node.width for node in layer) + GAP * (len(layer) - 1)


def _order(layers: list[list[Node]]) -> None:
    """Each node towards the mean position of its neighbours, down and up in turn."""
    for sweep in range(_SWEEPS):
        downwards = sweep % 2 == 0
        position: dict[Node, float] = {}
        for layer in layers if downwards else reversed(layers):
            wanted = {}
            for index, node in enumerate(layer):
                near = node.parents if downwards else node.children
                mean = sum(position[other] for other in near) / len(near) if near else None
                # Relative positions, since layers differ in length.
                wanted[node] = (index + 0.5) / len(layer) if mean is None else mean
            layer.sort(key=wanted.__getitem__)
            for index, node in enumerate(layer):
                position[node] = (index + 0.5) / len(layer)


def _place(layer: list[Node], page: int) -> None:
    left = (page - _extent(layer)) // 2
    for node in layer:
        node.centre = left + node.half
        left += node.width + GAP
