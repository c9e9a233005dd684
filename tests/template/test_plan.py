"""The plan numbers the steps topologically and knows what comes before and after each."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasker_mp.errors import TemplateError
from tasker_mp.template.dag import find_cycles, topological_order
from tasker_mp.template.model import HandlerDefinition, StepDefinition, Template
from tasker_mp.template.plan import plan


def template(dependencies, types=None):
    steps = (
        StepDefinition(
            name,
            HandlerDefinition("h.X"),
            dependencies=tuple(parents),
            type=(types or {}).get(name, "standard"),
        )
        for name, parents in dependencies.items()
    )
    return Template("ns", "t", "1.0.0", tuple(steps))


@st.composite
def dags(draw):
    """Step name → parents, in a file order that has nothing to do with the DAG's."""
    size = draw(st.integers(1, 12))
    parents = [draw(st.sets(st.integers(0, n - 1))) if n else set() for n in range(size)]
    order = draw(st.permutations(range(size)))
    return {f"s{n}": [f"s{parent}" for parent in parents[n]] for n in order}


def closure(dependencies, name):
    found, waiting = set(), list(dependencies[name])
    while waiting:
        parent = waiting.pop()
        if parent not in found:
            found.add(parent)
            waiting += dependencies[parent]
    return found


@given(dags())
def test_a_plan_is_topological_and_agrees_with_the_edges(dependencies):
    steps = plan(template(dependencies))
    number = {step.name: step.step_no for step in steps}
    assert [step.step_no for step in steps] == list(range(1, len(dependencies) + 1))
    assert set(number) == set(dependencies)
    for step in steps:
        parents = {number[name] for name in dependencies[step.name]}
        assert all(parent < step.step_no for parent in parents)
        implied = {p for p in parents if any(p in steps[q - 1].ancestors for q in parents)}
        assert step.implied == sorted(implied)
        assert step.parents == len(parents - implied)
        assert step.initial
        assert step.ancestors == sorted(number[n] for n in closure(dependencies, step.name))
        assert step.children == [
            below.step_no
            for below in steps
            if step.name in dependencies[below.name] and step.step_no not in below.implied
        ]


@given(dags())
def test_file_order_is_kept_wherever_the_dag_allows(dependencies):
    order = topological_order(dependencies)
    position = {name: index for index, name in enumerate(dependencies)}
    for earlier, later in pairwise(order):
        assert position[earlier] < position[later] or earlier in dependencies[later]


def test_a_dependency_named_twice_counts_once():
    root, child = plan(template({"a": [], "b": ["a", "a"]}))
    assert (root.children, child.parents, child.ancestors) == ([2], 1, [1])


def test_where_steps_come_to_be_at_run_time_every_edge_is_counted():
    dependencies = {"a": [], "b": ["a"], "c": ["a", "b"]}
    assert [step.implied for step in plan(template(dependencies))] == [[], [], [1]]
    steps = plan(template(dependencies, {"b": "batchable"}))
    assert [(step.children, step.implied) for step in steps] == [([2, 3], []), ([3], []), ([], [])]


def test_steps_behind_a_decision_are_created_later():
    dependencies = {
        "start": [],
        "decide": ["start"],
        "approve": ["decide"],
        "ship": ["approve"],
        "audit": ["start"],
        "close": ["audit", "ship"],
    }
    steps = {step.name: step for step in plan(template(dependencies, {"decide": "decision"}))}
    later = {name for name, step in steps.items() if not step.initial}
    assert later == {"approve", "ship", "close"}
    # Nobody waits for what may never exist, so no counter is ever wrong.
    assert steps["decide"].children == []
    assert steps["audit"].children == []
    assert steps["approve"].children == [steps["ship"].step_no]
    assert steps["close"].parents == 2


def test_batch_workers_and_deferred_convergence_are_created_later():
    dependencies = {"cut": [], "work": ["cut"], "join": ["work"], "after": ["cut"]}
    types = {"cut": "batchable", "work": "batch_worker", "join": "deferred_convergence"}
    steps = {step.name: step for step in plan(template(dependencies, types))}
    assert {name for name, step in steps.items() if step.initial} == {"cut", "after"}
    assert steps["cut"].children == [steps["after"].step_no]


def test_ten_thousand_steps_fan_out_and_in():
    middle = [f"m{index}" for index in range(9998)]
    dependencies = {"root": [], **{name: ["root"] for name in middle}, "join": middle}
    steps = plan(template(dependencies))
    assert steps[0].children == list(range(2, 10000))
    assert steps[-1].ancestors == list(range(1, 10000))
    assert steps[5000].ancestors == [1]


def test_a_chain_of_ten_thousand_steps():
    names = [f"s{index}" for index in range(10_000)]
    above = [[], *([name] for name in names)]
    steps = plan(template(dict(zip(names, above, strict=False))))
    assert steps[-1].ancestors == list(range(1, 10_000))


@pytest.mark.parametrize(
    ("dependencies", "message"),
    [
        ({"a": ["b"], "b": ["a"]}, "a → b → a"),
        ({"a": ["a"]}, "a → a"),
        ({"a": ["zz"]}, "a depends on unknown step zz"),
    ],
)
def test_what_cannot_be_ordered_is_refused_by_name(dependencies, message):
    with pytest.raises(TemplateError, match=message):
        plan(template(dependencies))


@given(st.dictionaries(st.sampled_from("abcdefgh"), st.lists(st.sampled_from("abcdefgh"))))
def test_a_cycle_is_found_exactly_when_there_is_no_order(dependencies):
    cycles = find_cycles(dependencies)
    assert bool(cycles) == (len(topological_order(dependencies)) < len(dependencies))
    for cycle in cycles:
        assert cycle[0] == cycle[-1]
        assert len(set(cycle)) == len(cycle) - 1
        for name, next_name in pairwise(cycle):
            assert next_name in dependencies[name]
