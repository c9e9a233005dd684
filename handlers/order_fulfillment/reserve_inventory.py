"""The second step: sets the goods aside for this order."""

from datetime import timedelta
from typing import Any

from handlers.order_fulfillment.order import from_step, reference, submitted_at
from tasker_mp import StepContext, StepHandler
from tasker_mp.errors import ResourceContentionError

_DEFAULT_MINUTES = 30


class ReserveInventoryHandler(StepHandler):
    """Short stock is retryable: more may come. `reservation_minutes` is set in the template."""

    def call(self, context: StepContext) -> dict[str, Any]:
        items = from_step(context, "validate_order", "validated_items")
        for item in items:
            if item["sku"].startswith("OUT_OF_STOCK"):
                raise ResourceContentionError(
                    f"{item['sku']} is short: {item['quantity']} wanted, 0 in stock",
                    error_code="INSUFFICIENT_STOCK",
                    metadata={"sku": item["sku"], "requested": item["quantity"], "available": 0},
                )
        minutes = self.config.get("reservation_minutes", _DEFAULT_MINUTES)
        return {
            "reservation_id": reference(context, "RES"),
            "reserved_items": [{"sku": i["sku"], "quantity": i["quantity"]} for i in items],
            "expires_at": (submitted_at(context) + timedelta(minutes=minutes)).isoformat(),
        }
