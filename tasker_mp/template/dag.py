"""The order and the cycles of a graph given as `name → names it depends on`."""

from collections.abc import Mapping, Sequence
from heapq import heapify, heappop, heappush
from typing import TypeAlias

Dependencies: TypeAlias = Mapping[str, Sequence[str]]
"""Node to the nodes it waits for. Every node is a key; names that are not keys are ignored."""


def topological_order(dependencies: Dependencies) -> list[str]:
    """Parents before children, otherwise in the mapping's own order; nodes on or behind a cycle
    are left out."""
    position = {name: index for index, name in enumerate(dependencies)}
    children, missing = _invert(dependencies)
    names = list(dependencies)
    ready = [position[name] for name in names if not missing[name]]
    heapify(ready)
    order: list[str] = []
    while ready:
        name = names[heappop(ready)]
        order.append(name)
        for child in children[name]:
            missing[child] -= 1
            if not missing[child]:
                heappush(ready, position[child])
    return order


def find_cycles(dependencies: Dependencies) -> list[list[str]]:
    """Cycles that share no node, each as `[a, b, …, a]` where every name waits for the next."""
    cycles = []
    rest = _without_acyclic(dependencies)
    while rest:
        cycle = _walk_to_cycle(rest)
        cycles.append(cycle)
        on_cycle = set(cycle)
        rest = _without_acyclic({n: d for n, d in rest.items() if n not in on_cycle})
    return cycles


def _without_acyclic(dependencies: Dependencies) -> Dependencies:
    settled = set(topological_order(dependencies))
    return {
        name: [parent for parent in parents if parent in dependencies and parent not in settled]
        for name, parents in dependencies.items()
        if name not in settled
    }


def _walk_to_cycle(rest: Dependencies) -> list[str]:
    """Every node left waits for another one left, so a walk along them must meet itself."""
    seen: dict[str, int] = {}
    path: list[str] = []
    name = next(iter(rest))
    while name not in seen:
        seen[name] = len(path)
        path.append(name)
        name = rest[name][0]
    return [*path[seen[name] :], name]


def _invert(dependencies: Dependencies) -> tuple[dict[str, list[str]], dict[str, int]]:
    children: dict[str, list[str]] = {name: [] for name in dependencies}
    missing = dict.fromkeys(dependencies, 0)
    for name, parents in dependencies.items():
        for parent in dict.fromkeys(parents):
            if parent in children:
                children[parent].append(name)
                missing[name] += 1
    return children, missing
