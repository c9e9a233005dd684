"""An order: validated, reserved, paid, shipped; stock and payment gateway are simulated.

The simulation depends on the order alone, so that every failure can be had on demand:

| in the order                            | what happens                                 |
|-----------------------------------------|----------------------------------------------|
| a `sku` that starts with `OUT_OF_STOCK` | the reservation fails, and is tried again    |
| a token that starts with `tok_declined` | the payment fails for good                   |
| a token that starts with `tok_timeout`  | the gateway times out, and is tried again    |
"""

from handlers.order_fulfillment.process_payment import ProcessPaymentHandler
from handlers.order_fulfillment.reserve_inventory import ReserveInventoryHandler
from handlers.order_fulfillment.ship_order import ShipOrderHandler
from handlers.order_fulfillment.validate_order import ValidateOrderHandler

__all__ = [
    "ProcessPaymentHandler",
    "ReserveInventoryHandler",
    "ShipOrderHandler",
    "ValidateOrderHandler",
]
