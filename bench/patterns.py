"""The workflow patterns that are measured."""

from typing import Any

from msgspec import Struct


class Pattern(Struct, frozen=True):
    """A registered template, its number of steps, and a context to submit it with."""

    name: str
    namespace: str
    template: str
    steps: int
    context: dict[str, Any]


_NUMBER = {"even_number": 6}
_ORDER = {
    "customer": {"id": 42, "email": "buyer@example.com"},
    "items": [
        {"sku": "WIDGET-1", "quantity": 2, "price": "19.99"},
        {"sku": "GADGET-7", "quantity": 1, "price": "5.01"},
    ],
    "payment": {"method": "card", "token": "tok_ok"},
    "shipping": {"method": "standard", "address": "1 Main Street"},
}

PATTERNS = {
    pattern.name: pattern
    for pattern in (
        Pattern("linear", "linear_workflow", "mathematical_sequence", 4, _NUMBER),
        Pattern("diamond", "diamond_workflow", "diamond_pattern", 4, _NUMBER),
        Pattern("tree", "tree_workflow", "hierarchical_tree", 8, _NUMBER),
        Pattern("mixed_dag", "mixed_dag_workflow", "complex_dag", 7, _NUMBER),
        Pattern("order", "order_fulfillment", "business_workflow", 4, _ORDER),
    )
}
