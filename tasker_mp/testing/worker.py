"""Runs one step's event to its outcome as a worker does, in the process of the test."""

import asyncio
from collections.abc import Collection, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec

from tasker_mp.context import StepContext
from tasker_mp.errors import HandlerLoadError
from tasker_mp.handler import StepHandler, invoke
from tasker_mp.messages import StepOutcome, StepSpec, encode, outcome_decoder, spec_decoder
from tasker_mp.publishing import Publications
from tasker_mp.registry import HandlerRegistry
from tasker_mp.worker.job import no_handler, read_event

FIRED_BY = "inline"
"""What events say of who made them."""


class InlineWorker:
    """`overridden`: the callables that the test gave handlers for, whatever resolver a template
    names."""

    def __init__(
        self,
        registry: HandlerRegistry,
        max_payload_bytes: int,
        overridden: Collection[str] = (),
    ) -> None:
        self._registry = registry
        self._max_payload = max_payload_bytes
        self._overridden = overridden
        self._publications = Publications(FIRED_BY, max_payload_bytes)
        self._specs: dict[bytes, StepSpec] = {}

    def run(self, event_id: bytes, payload: bytes) -> StepOutcome:
        """The outcome of an encoded `StepEvent`, as the supervisor would decode it."""
        event = read_event(payload)
        if isinstance(event, StepOutcome):
            return event
        spec = self._spec(bytes(event.spec))
        context = StepContext.from_event(event_id, event, spec)
        outcome = self._publications.settle(context, spec, self._outcome(context, spec))
        return outcome_decoder.decode(encode(outcome))

    def _spec(self, encoded: bytes) -> StepSpec:
        if encoded not in self._specs:
            self._specs[encoded] = spec_decoder.decode(encoded)
        return self._specs[encoded]

    def _outcome(self, context: StepContext, spec: StepSpec) -> StepOutcome:
        try:
            handler = self._handler(spec)
        except HandlerLoadError as error:
            return no_handler(spec.step.handler.callable, error)
        method = spec.step.handler.method
        outcome = invoke(handler, method, context, run_async, self._max_payload)
        _let_go(outcome)
        return outcome

    def _handler(self, spec: StepSpec) -> StepHandler:
        definition = spec.step.handler
        if definition.callable in self._overridden:
            definition = msgspec.structs.replace(definition, resolver=None)
        handler: StepHandler = self._registry.resolve(definition)
        return handler


def run_async(coroutine: Coroutine[Any, Any, object]) -> object:
    """Run a coroutine to its end; beside the loop of an `async` test, in a thread."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(coroutine)
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, coroutine).result()


def _let_go(outcome: StepOutcome) -> None:
    """Ctrl-C ends the test: a worker would take it for the failure of a step, and try it again."""
    if outcome.error is None:
        return
    metadata = msgspec.json.decode(outcome.error.metadata)
    if metadata.get("exception") == "builtins.KeyboardInterrupt":
        raise KeyboardInterrupt
