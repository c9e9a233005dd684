"""Channels by name: `channel:email`, or any name where a template asks for this resolver."""

from typing import Any

from tasker_mp import StepContext, StepHandler
from tasker_mp.registry import HandlerDefinition, RegistryResolver


class Email(StepHandler):
    def call(self, context: StepContext) -> dict[str, Any]:
        return {"sent_to": context.get_input("address")}


class Letter(StepHandler):
    def call(self, context: StepContext) -> dict[str, Any]:
        return {"posted_to": context.get_input("street")}


CHANNELS = {"email": Email, "letter": Letter}


class Channels(RegistryResolver):
    _name = "channels"
    prefix = "channel:"

    def resolve_handler(self, definition: HandlerDefinition, config: dict[str, Any]) -> Any:
        return CHANNELS[definition.callable.removeprefix("channel:")]
