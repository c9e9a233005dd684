"""What the world is told of a payment: a receipt, and nothing about the card."""

from typing import Any

from tasker_mp.domain_events import BasePublisher, StepEventContext


class Receipts(BasePublisher):
    publisher_name = "receipts"

    def should_publish(self, ctx: StepEventContext) -> bool:
        assert ctx.result is not None
        return bool(ctx.result["cents"] != 13)

    def transform_payload(self, ctx: StepEventContext) -> dict[str, Any]:
        assert ctx.result is not None
        return {"receipt": f"receipt of {ctx.step_name}", "cents": ctx.result["cents"]}

    def additional_metadata(self, ctx: StepEventContext) -> dict[str, Any]:
        return {"currency": "EUR"}
