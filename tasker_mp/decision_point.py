"""What a decision step decides: which of its branches exist, or that none does."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from tasker_mp.record import Record


class DecisionType(StrEnum):
    CREATE_STEPS = "create_steps"
    NO_BRANCHES = "no_branches"


@dataclass(kw_only=True)
class DecisionPointOutcome(Record):
    """The branches to create; build it with `create_steps` or `no_branches`.

    >>> DecisionPointOutcome.create_steps(["approve"]).as_result()
    {'decision_point_outcome': {'type': 'create_steps', 'step_names': ['approve']}}
    """

    decision_type: DecisionType
    next_step_names: list[str] = field(default_factory=list)
    dynamic_steps: list[dict[str, Any]] | None = None
    """Kept with the result; steps come from the template alone."""
    reason: str | None = None
    routing_context: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def create_steps(
        cls,
        step_names: list[str],
        dynamic_steps: list[dict[str, Any]] | None = None,
        routing_context: dict[str, Any] | None = None,
    ) -> "DecisionPointOutcome":
        """Create the template's steps of these names; `routing_context` is kept with the result."""
        return cls(
            decision_type=DecisionType.CREATE_STEPS,
            next_step_names=list(step_names),
            dynamic_steps=dynamic_steps,
            routing_context=routing_context or {},
        )

    @classmethod
    def no_branches(
        cls, reason: str, routing_context: dict[str, Any] | None = None
    ) -> "DecisionPointOutcome":
        """Create nothing; `reason` says why."""
        return cls(
            decision_type=DecisionType.NO_BRANCHES,
            reason=reason,
            routing_context=routing_context or {},
        )

    def as_result(self) -> dict[str, Any]:
        """The result of the decision step, as the engine reads it."""
        outcome: dict[str, Any] = {"type": self.decision_type.value}
        result: dict[str, Any] = {"decision_point_outcome": outcome}
        if self.decision_type is DecisionType.CREATE_STEPS:
            outcome["step_names"] = self.next_step_names
        else:
            result["reason"] = self.reason
        if self.dynamic_steps:
            result["dynamic_steps"] = self.dynamic_steps
        if self.routing_context:
            result["routing_context"] = self.routing_context
        return result
