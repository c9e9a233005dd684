"""The ways an order can travel."""

from decimal import Decimal
from typing import Final, NamedTuple


class ShippingMethod(NamedTuple):
    """Costs are per order and per piece; `days` from submission to the door."""

    carrier: str
    base_cost: Decimal
    cost_per_piece: Decimal
    days: int


METHODS: Final = {
    "standard": ShippingMethod("USPS", Decimal("5.00"), Decimal("0.50"), 5),
    "express": ShippingMethod("UPS", Decimal("15.00"), Decimal("1.00"), 2),
    "overnight": ShippingMethod("FedEx", Decimal("30.00"), Decimal("2.00"), 1),
}
