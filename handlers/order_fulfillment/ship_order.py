"""The last step: hands the parcel to a carrier."""

from datetime import timedelta
from typing import Any

from handlers.order_fulfillment.money import text
from handlers.order_fulfillment.order import from_step, reference, section, submitted_at
from handlers.order_fulfillment.shipping import METHODS
from tasker_mp import StepContext, StepHandler


class ShipOrderHandler(StepHandler):
    """The method was checked by the first step, before the customer was charged."""

    def call(self, context: StepContext) -> dict[str, Any]:
        pieces = from_step(context, "validate_order", "item_count")
        name = section(context, "shipping").get("method", "standard")
        method = METHODS[name]
        return {
            "tracking_number": reference(context, method.carrier.upper()),
            "carrier": method.carrier,
            "shipping_method": name,
            "shipping_cost": text(method.base_cost + method.cost_per_piece * pieces),
            "estimated_delivery": (submitted_at(context) + timedelta(days=method.days))
            .date()
            .isoformat(),
            "payment_id": from_step(context, "process_payment", "payment_id"),
            "reservation_id": from_step(context, "reserve_inventory", "reservation_id"),
        }
