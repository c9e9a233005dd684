"""What a resolver is asked: which code is to run a step."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from tasker_mp.models import HandlerWrapper
from tasker_mp.template import model


@dataclass
class HandlerDefinition:
    """A template's `handler`, with `method` under the name `handler_method`.

    >>> HandlerDefinition("payments:refund", handler_method="refund").effective_method()
    'refund'
    """

    callable: str
    handler_method: str | None = None
    resolver: str | None = None
    initialization: dict[str, Any] = field(default_factory=dict)

    def effective_method(self) -> str:
        return self.handler_method or "call"

    def uses_method_dispatch(self) -> bool:
        """Whether another method than `call` is named."""
        return self.effective_method() != "call"

    def has_resolver_hint(self) -> bool:
        """Whether one resolver is named, and no other is to be asked."""
        return bool(self.resolver)

    @classmethod
    def from_callable(cls, callable_str: str) -> Self:
        return cls(callable=callable_str)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any] | None) -> Self:
        """From a template's `handler`."""
        data = data or {}
        return cls(
            callable=data.get("callable", ""),
            handler_method=data.get("method"),
            resolver=data.get("resolver"),
            initialization=data.get("initialization") or {},
        )


Specification = str | model.HandlerDefinition | HandlerDefinition | HandlerWrapper
"""Whatever may say which code is to run a step."""


def definition_of(specification: Specification) -> HandlerDefinition:
    """As a resolver is asked."""
    match specification:
        case str():
            return HandlerDefinition(specification)
        case HandlerDefinition():
            return specification
        case HandlerWrapper():
            method = specification.handler_method
        case model.HandlerDefinition():
            method = specification.method
    return HandlerDefinition(
        specification.callable, method, specification.resolver, specification.initialization
    )
