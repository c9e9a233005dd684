"""Asks many suppliers for a price at the same time, and keeps the best."""

import asyncio

from tasker_mp import StepContext, StepHandler


class AskSupplier(StepHandler):
    """Waits for the network most of the time: a worker runs many of these at once."""

    async def call(self, context: StepContext) -> dict[str, object]:
        await asyncio.sleep(context.get_config("answers_after_seconds"))
        quantity = context.get_input("quantity")
        self.logger.info("asked", extra={"supplier": context.get_config("supplier")})
        return {
            "supplier": context.get_config("supplier"),
            "price": quantity * context.get_config("unit_price"),
        }


class BestQuote(StepHandler):
    """Only computes: it has its worker to itself while it runs."""

    def call(self, context: StepContext) -> dict[str, object]:
        quotes = context.dependency_results.values()
        best = min(quotes, key=lambda quote: quote["price"])
        return {"asked": len(quotes), "best": best}
