"""The five example workflows: what each is given, and what every task of it must come to."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

ORDER_STEPS: Final = ("validate_order", "reserve_inventory", "process_payment", "ship_order")
LARGEST_EXPONENT: Final = 64

_ORDER: Final = {
    "customer": {"id": "C-1001", "email": "ada@example.com"},
    "items": [
        {"sku": "WIDGET-1", "quantity": 2, "price": "19.99"},
        {"sku": "GADGET-7", "quantity": 1, "price": "64.99"},
    ],
    "payment": {"method": "card", "token": "tok_visa"},
    "shipping": {"method": "express", "address": "1 Main Street, Springfield"},
}
_ORDER_TOTAL: Final = "104.97"


@dataclass(frozen=True)
class Workflow:
    """A mathematical one computes `number ** exponent` in its last step, `final`."""

    title: str
    namespace: str
    name: str
    steps: int
    final: str
    exponent: int | None = None

    def context(self, number: int) -> dict[str, Any]:
        return {"even_number": number} if self.exponent else dict(_ORDER)

    def expected(self, number: int) -> int | str:
        """The exact integer; for an order, what the customer is to pay."""
        return number**self.exponent if self.exponent else _ORDER_TOTAL

    def result(self, results: Mapping[str, Any]) -> Any:
        """What a task came to, from its steps' results; None where that step has none."""
        return (results.get(self.final) or {}).get("result" if self.exponent else "amount_charged")

    def is_right(self, results: Mapping[str, Any], number: int) -> bool:
        """Whether every step has a result, and the final one is exact."""
        return len(results) == self.steps and self.result(results) == self.expected(number)


WORKFLOWS: Final = (
    Workflow("linear", "linear_workflow", "mathematical_sequence", 4, "linear_step_4", 8),
    Workflow("diamond", "diamond_workflow", "diamond_pattern", 4, "diamond_end", 16),
    Workflow("tree", "tree_workflow", "hierarchical_tree", 8, "tree_final_convergence", 32),
    Workflow("mixed DAG", "mixed_dag_workflow", "complex_dag", 7, "dag_finalize", 64),
    Workflow("order fulfillment", "order_fulfillment", "business_workflow", 4, "process_payment"),
)
