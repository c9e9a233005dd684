"""Random DAGs, and templates of them whose steps differ in how they are retried."""

from itertools import cycle

from dags import template
from hypothesis import strategies as st
from msgspec import structs

from tasker_mp.template.model import RetryPolicy, Template

Graph = dict[str, tuple[str, ...]]
"""Step names to the names of their parents."""

MOMENT = 1000.0
"""Seconds, the unit of every delay and lapse here: an example itself takes no time beside it."""


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Up to 30 nodes, in an order that is not that of their dependencies."""
    count = draw(st.integers(1, 30))
    graph: Graph = {}
    for node in range(count):
        some = st.sets(st.integers(0, node - 1), max_size=min(node, 5)) if node else st.just(set())
        graph[f"n{node}"] = tuple(f"n{parent}" for parent in draw(some))
    return {name: graph[name] for name in draw(st.permutations(list(graph)))}


policies = st.builds(
    RetryPolicy,
    retryable=st.sampled_from([True, True, True, False]),
    max_attempts=st.sampled_from([2, 3, 4, 1]),
    backoff=st.sampled_from(["none", "exponential", "linear", "fibonacci"]),
    backoff_base_ms=st.just(int(MOMENT * 1000)),
    max_backoff_ms=st.sampled_from([int(MOMENT * 3000), int(MOMENT * 1000)]),
)


@st.composite
def templates(draw: st.DrawFn) -> Template:
    """A template of a random graph; few policies take turns, so that examples stay small."""
    made = template(draw(graphs()))
    turns = cycle(draw(st.lists(policies, min_size=1, max_size=3)))
    steps = [structs.replace(step, retry=next(turns)) for step in made.steps]
    return structs.replace(made, steps=tuple(steps))
