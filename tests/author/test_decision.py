import pytest

from tasker_mp import DecisionHandler, DecisionPointOutcome, DecisionType, StepHandler
from tasker_mp.step_handler.mixins import DecisionMixin


class Before(DecisionMixin, StepHandler):
    handler_name = "route"
    handler_version = "2.0.0"


class Behind(StepHandler, DecisionMixin):
    handler_name = "route"
    handler_version = "2.0.0"


BY = {"decision_handler": "route", "decision_version": "2.0.0"}


@pytest.mark.parametrize("kind", [Before, Behind])
def test_steps_are_named_with_why(kind):
    result = kind().decision_success(["a", "b"], {"amount": 5}, {"took": 1})
    assert result.is_success
    assert result.result == {
        "decision_point_outcome": {"type": "create_steps", "step_names": ["a", "b"]},
        "routing_context": {"amount": 5},
    }
    assert result.metadata == {"took": 1, **BY}
    assert kind().route_to_steps(["a"]) == kind().decision_success(["a"])


def test_no_branch_is_a_success_with_a_reason():
    result = Before().skip_branches("nothing to do", {"amount": 5})
    assert result.is_success
    assert result.result == {
        "decision_point_outcome": {"type": "no_branches"},
        "reason": "nothing to do",
        "routing_context": {"amount": 5},
    }
    outcome = DecisionPointOutcome.no_branches("nothing to do", {"amount": 5})
    assert Before().decision_no_branches(outcome) == result


def test_an_outcome_may_be_made_by_hand():
    outcome = DecisionPointOutcome.create_steps(["a"], dynamic_steps=[{"name": "c"}])
    assert outcome.decision_type is DecisionType.CREATE_STEPS
    result = Before().decision_success_with_outcome(outcome)
    assert result.result["dynamic_steps"] == [{"name": "c"}]


def test_a_decision_that_cannot_be_made_is_permanent():
    result = Before().decision_failure("no tier")
    assert (result.error_message, result.error_type, result.retryable) == (
        "no tier",
        "decision_error",
        False,
    )
    assert result.metadata == BY
    assert Before().decision_failure("busy", "lookup", retryable=True).retryable


def test_metadata_that_is_given_is_not_changed():
    given = {"took": 1}
    Before().decision_success(["a"], metadata=given)
    Before().decision_failure("no", metadata=given)
    assert given == {"took": 1}


def test_the_base_class_says_what_it_can():
    assert DecisionHandler().capabilities == ["process", "decision", "routing"]


def test_outcomes_round_trip_as_plain_data():
    outcome = DecisionPointOutcome.create_steps(["a"], routing_context={"b": 1})
    assert DecisionPointOutcome.model_validate(outcome.model_dump()) == outcome
    assert DecisionPointOutcome.model_validate_json(outcome.model_dump_json()) == outcome
