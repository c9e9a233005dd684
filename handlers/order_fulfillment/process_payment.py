"""The third step: charges the customer what the order comes to."""

from typing import Any

from handlers.order_fulfillment.order import filled, from_step, reference, section
from tasker_mp import StepContext, StepHandler
from tasker_mp.errors import BusinessLogicError, TimeoutError  # noqa: A004


class ProcessPaymentHandler(StepHandler):
    """A declined card is permanent; a gateway that does not answer in time is retryable."""

    def call(self, context: StepContext) -> dict[str, Any]:
        reservation_id = from_step(context, "reserve_inventory", "reservation_id")
        order_total = from_step(context, "validate_order", "order_total")
        payment = section(context, "payment")
        payment_id = reference(context, "PAY")
        return {
            "payment_id": payment_id,
            "transaction_id": _charge(filled(payment, "payment", "token"), payment_id),
            "amount_charged": order_total,
            "currency": self.config.get("currency", "USD"),
            "method": payment.get("method", "card"),
            "reservation_id": reservation_id,
        }


def _charge(token: object, payment_id: str) -> str:
    """Where a real gateway would be asked, with `payment_id` as the idempotency key."""
    if str(token).startswith("tok_declined"):
        raise BusinessLogicError(
            "the card was declined; ask the customer for another one",
            error_code="CARD_DECLINED",
            metadata={"field": "payment.token", "payment_id": payment_id},
        )
    if str(token).startswith("tok_timeout"):
        raise TimeoutError(
            "the payment gateway did not answer in time",
            error_code="GATEWAY_TIMEOUT",
            metadata={"field": "payment.token", "payment_id": payment_id},
        )
    return payment_id.replace("PAY-", "TXN-")
