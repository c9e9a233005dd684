"""What is submitted, and what each step of it must come to: known here, not asked of the system."""

import random
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from tasker_mp.client import Submission

_EXPONENTS: Final = {
    ("linear_workflow", "mathematical_sequence"): {
        "linear_step_1": 2,
        "linear_step_2": 4,
        "linear_step_3": 8,
        "linear_step_4": 8,
    },
    ("diamond_workflow", "diamond_pattern"): {
        "diamond_start": 2,
        "diamond_branch_b": 4,
        "diamond_branch_c": 4,
        "diamond_end": 16,
    },
    ("tree_workflow", "hierarchical_tree"): {
        "tree_root": 2,
        "tree_branch_left": 4,
        "tree_branch_right": 4,
        "tree_leaf_d": 8,
        "tree_leaf_e": 8,
        "tree_leaf_f": 8,
        "tree_leaf_g": 8,
        "tree_final_convergence": 32,
    },
    ("mixed_dag_workflow", "complex_dag"): {
        "dag_init": 2,
        "dag_process_left": 4,
        "dag_process_right": 4,
        "dag_validate": 16,
        "dag_transform": 8,
        "dag_analyze": 8,
        "dag_finalize": 64,
    },
}
_ORDER: Final = ("order_fulfillment", "business_workflow")
_ORDER_AMOUNTS: Final = {
    "validate_order": "order_total",
    "reserve_inventory": None,
    "process_payment": "amount_charged",
    "ship_order": None,
}
_BRANCHING: Final = ("branching", "branching")
_WORKFLOWS: Final = (*_EXPONENTS, _ORDER, _BRANCHING)
_LARGE_BYTES: Final = 100_000


def submission(seed: int, number: int) -> Submission:
    """The task of that number in a run of that seed, under a key of its own: it may be submitted
    again where the answer was lost. A few are too large for a ring and travel beside it."""
    rng = random.Random(f"task {seed} {number}")
    namespace, name = rng.choice(_WORKFLOWS)
    context = _order(rng) if namespace == _ORDER[0] else _number(rng)
    if rng.random() < 0.005:
        context["padding"] = "x" * _LARGE_BYTES
    return Submission(
        namespace=namespace,
        name=name,
        context=context,
        idempotency_key=f"{seed}-{number}",
        priority=rng.choice((-1, 0, 0, 0, 1)),
    )


def _number(rng: random.Random) -> dict[str, Any]:
    return {"even_number": 2 * rng.randint(1, 5000)}


def _order(rng: random.Random) -> dict[str, Any]:
    items = [
        {
            "sku": f"SKU-{n}",
            "quantity": rng.randint(1, 9),
            "price": f"{rng.randint(1, 99999) / 100}",
        }
        for n in range(rng.randint(1, 3))
    ]
    return {
        "customer": {"id": "C-1", "email": "ada@example.com"},
        "items": items,
        "payment": {"method": "card", "token": "tok_visa"},
        "shipping": {"method": "express", "address": "1 Main Street"},
    }


def wrong_results(
    namespace: str, name: str, context: Mapping[str, Any], results: Mapping[str, Any]
) -> list[str]:
    """What is wrong with a complete task's results, by step name; nothing where all is right."""
    expected = _expected(namespace, name, context)
    wrong = [f"{step} has no result" for step in expected.keys() - results.keys()]
    wrong += [f"there is no step {step}" for step in results.keys() - expected.keys()]
    for step in expected.keys() & results.keys():
        key, value = expected[step]
        found = (results[step] or {}).get(key) if key else value
        if found != value:
            wrong.append(f"{step}.{key} is {found!r} instead of {value!r}")
    return wrong


def _expected(namespace: str, name: str, context: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """By step: the key of its result that is compared, if any, and its value."""
    if (namespace, name) == _ORDER:
        total = sum(Decimal(item["price"]) * item["quantity"] for item in context["items"])
        return {step: (key, f"{total:.2f}") for step, key in _ORDER_AMOUNTS.items()}
    number = context["even_number"]
    if (namespace, name) == _BRANCHING:
        return _branches(number)
    exponents = _EXPONENTS[namespace, name]
    return {step: ("result", number**exponent) for step, exponent in exponents.items()}


def _branches(number: int) -> dict[str, tuple[Any, Any]]:
    """What comes to be for this number, and what comes of it."""
    left = number // 2 % 4 in (1, 3)
    right = number // 2 % 4 in (2, 3)
    deep = right and number % 3 != 0
    found: dict[str, Any] = {"begin": number, "walk": 3, "route": None, "cut": None}
    found |= {"left": number + 1} if left else {}
    found |= {"right": None} if right else {}
    found |= {"deep": number + 2} if deep else {}
    if left or deep:
        found["close"] = (number + 1) * left + (number + 2) * deep
    items = number % 40
    starts = range(0, items, 10) or range(1)
    for index, start in enumerate(starts, 1 if items else 0):
        found[f"part_{index:03d}"] = sum(range(start, min(start + 10, items)))
    found["joined"] = sum(range(items))
    return {step: ("result" if value is not None else "", value) for step, value in found.items()}
