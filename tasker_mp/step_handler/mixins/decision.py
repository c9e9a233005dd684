"""How a decision step says which of its branches to create."""

from typing import TYPE_CHECKING, Any

from tasker_mp.decision_point import DecisionPointOutcome
from tasker_mp.mixed_in import Results
from tasker_mp.result import StepHandlerResult


class DecisionMixin(Results):
    """Names the steps to create, of those that the template has behind the decision.

    >>> from tasker_mp import StepHandler
    >>> class Route(DecisionMixin, StepHandler):
    ...     handler_name = "route"
    ...     def call(self, context):
    ...         return self.decision_success(["approve"], routing_context={"amount": 500})
    >>> Route().call(None).result["decision_point_outcome"]
    {'type': 'create_steps', 'step_names': ['approve']}
    """

    # For the type checker alone: at run time these are the handler's, whichever base comes first.
    if TYPE_CHECKING:

        @property
        def name(self) -> str: ...

        @property
        def version(self) -> str: ...

    @property
    def decision_capabilities(self) -> list[str]:
        return ["decision", "routing"]

    def decision_success(
        self,
        steps: list[str],
        routing_context: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> StepHandlerResult:
        """Create the template's steps of these names; `routing_context` is kept in the result."""
        outcome = DecisionPointOutcome.create_steps(steps, routing_context=routing_context)
        return self.decision_success_with_outcome(outcome, metadata)

    def decision_success_with_outcome(
        self, outcome: DecisionPointOutcome, metadata: dict[str, Any] | None = None
    ) -> StepHandlerResult:
        return self.success(outcome.as_result(), self._decided(metadata))

    def decision_no_branches(
        self, outcome: DecisionPointOutcome, metadata: dict[str, Any] | None = None
    ) -> StepHandlerResult:
        """A success that creates no step, from an outcome that says why."""
        return self.decision_success_with_outcome(outcome, metadata)

    def skip_branches(
        self,
        reason: str,
        routing_context: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> StepHandlerResult:
        """A success that creates no step."""
        outcome = DecisionPointOutcome.no_branches(reason, routing_context)
        return self.decision_no_branches(outcome, metadata)

    def route_to_steps(
        self,
        step_names: list[str],
        routing_context: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> StepHandlerResult:
        """The same as `decision_success`."""
        return self.decision_success(step_names, routing_context, metadata)

    def decision_failure(
        self,
        message: str,
        error_type: str = "decision_error",
        retryable: bool = False,
        metadata: dict[str, Any] | None = None,
    ) -> StepHandlerResult:
        """No decision could be made; permanent unless told otherwise, since the data at hand will
        be the same."""
        return self.failure(message, error_type, retryable, self._decided(metadata))

    def _decided(self, metadata: dict[str, Any] | None) -> dict[str, Any]:
        by = {"decision_handler": self.name, "decision_version": self.version}
        return {**(metadata or {}), **by}
