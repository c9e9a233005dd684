"""Decisions: the amount takes the right branch, and what cannot be followed fails its own step."""

from collections.abc import Callable

from example_project import Example


def test_the_amount_takes_the_right_branch(example: Callable[[str], Example]) -> None:
    path = "approvals/conditional_approval"
    with example("conditional_approval").running() as running:
        for amount, branches, by in (
            (500, ["auto_approve"], ["nobody"]),
            (3000, ["manager_approval"], ["manager"]),
            (10000, ["manager_approval", "finance_review"], ["manager", "finance"]),
        ):
            task = running.run(path, {"amount": amount})
            assert task.state == "complete"
            assert set(task.results) == {
                "validate_request", "route_approval", *branches, "finalize_approval",
            }  # fmt: skip
            assert task.results["finalize_approval"] == {"approved": True, "by": by}

        skipped = running.run(path, {"amount": 0.001})
        assert (skipped.state, set(skipped.results)) == (
            "complete", {"validate_request", "route_approval"},
        )  # fmt: skip

        for steps, message in (
            (["manager_aproval"], "names the unknown step 'manager_aproval'; did you mean 'man"),
            (["validate_request"], "names 'validate_request', which exists already"),
        ):
            failed = running.run(path, {"amount": 7, "steps": steps})
            assert failed.state == "error"
            [decision] = [step for step in failed.steps if step.name == "route_approval"]
            assert decision.error is not None
            assert decision.error["error_code"] == "INVALID_OUTCOME"
            assert message in decision.error["message"]
            assert decision.attempts == 1, "another attempt would say the same"
            assert [step.name for step in failed.steps] == ["validate_request", "route_approval"]
