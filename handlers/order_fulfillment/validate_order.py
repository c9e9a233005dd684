"""The first step: is this an order that can be filled, and what does it come to?"""

from decimal import Decimal
from typing import Any, Final

from handlers.order_fulfillment.money import amount, cents, text
from handlers.order_fulfillment.order import filled, invalid, section
from handlers.order_fulfillment.shipping import METHODS
from tasker_mp import StepContext, StepHandler

MAX_ORDER_TOTAL: Final = Decimal(50_000)
_MAX_QUANTITY = 1_000_000


class ValidateOrderHandler(StepHandler):
    """Checks the whole order before anything is reserved or charged; every error is permanent."""

    def call(self, context: StepContext) -> dict[str, Any]:
        customer_id = filled(section(context, "customer"), "customer", "id")
        items = _validated_items(context.get_input("items"))
        total = sum((Decimal(item["line_total"]) for item in items), Decimal())
        _check_total(total)
        filled(section(context, "payment"), "payment", "token")
        shipping = section(context, "shipping")
        filled(shipping, "shipping", "address")
        method = shipping.get("method", "standard")
        if not isinstance(method, str) or method not in METHODS:
            raise invalid("shipping.method", method, f"one of {', '.join(METHODS)}")
        return {
            "customer_id": customer_id,
            "validated_items": items,
            "item_count": sum(item["quantity"] for item in items),
            "order_total": text(total),
        }


def _validated_items(items: object) -> list[dict[str, Any]]:
    if not isinstance(items, list) or not items:
        raise invalid("items", items, "order at least one item")
    return [_validated_item(item, f"items[{position}]") for position, item in enumerate(items)]


def _validated_item(item: object, place: str) -> dict[str, Any]:
    if not isinstance(item, dict):
        raise invalid(place, item, "give an object with sku, quantity and price")
    sku = filled(item, place, "sku")
    quantity = filled(item, place, "quantity")
    if not isinstance(quantity, int) or not 0 < quantity <= _MAX_QUANTITY:
        raise invalid(f"{place}.quantity", quantity, f"a whole number from 1 to {_MAX_QUANTITY}")
    price = amount(filled(item, place, "price"))
    if price is None or price < 0:
        raise invalid(f"{place}.price", item["price"], "a number, 0 or more")
    return {
        "sku": str(sku),
        "quantity": quantity,
        "price": text(price),
        "line_total": str(cents(price * quantity)),
    }


def _check_total(total: Decimal) -> None:
    if total <= 0:
        raise invalid("order_total", text(total), "an order must come to more than 0")
    if total > MAX_ORDER_TOTAL:
        raise invalid("order_total", text(total), f"an order comes to {MAX_ORDER_TOTAL} at most")
