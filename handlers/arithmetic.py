"""What the mathematical workflows share: their input, earlier results, and the final proof."""

import math
from typing import Any

from tasker_mp import StepContext
from tasker_mp.errors import PermanentError, ValidationError


def even_number(context: StepContext) -> int:
    """The task's `even_number`; a permanent error where it is missing, odd or not an integer."""
    value = context.get_input("even_number")
    if value is None:
        raise ValidationError(
            "even_number is missing; give an even integer",
            error_code="MISSING_CONTEXT_FIELD",
            metadata={"field": "even_number", "value": None},
        )
    # True is an int in Python, and no number here.
    if isinstance(value, bool) or not isinstance(value, int) or value % 2:
        raise ValidationError(
            f"even_number is {str(value)[:100]}; give an even integer",
            error_code="VALIDATION_ERROR",
            metadata={"field": "even_number", "value": value},
        )
    return value


def number_from(context: StepContext, step: str) -> int:
    """The integer that an earlier step returned."""
    value = context.get_dependency_result(step)
    if isinstance(value, bool) or not isinstance(value, int):
        raise PermanentError(
            f"{step} left no integer as its result; check the step's dependencies",
            error_code="MISSING_DEPENDENCY_RESULT",
            metadata={"step": step, "value": value},
        )
    return value


def squared_input(context: StepContext, step_type: str) -> dict[str, Any]:
    """The result of a first step: the square of the task's `even_number`."""
    n = even_number(context)
    return {
        "result": n * n,
        "operation": "square",
        "step_type": step_type,
        "input_refs": {"even_number": "task.context.even_number"},
    }


def squared(context: StepContext, step: str, step_type: str) -> dict[str, Any]:
    """The result of a step that squares what `step` returned."""
    n = number_from(context, step)
    return {
        "result": n * n,
        "operation": "square",
        "step_type": step_type,
        "input_refs": refs(step),
    }


def product(context: StepContext, *steps: str) -> int:
    """The product of what the steps returned."""
    return math.prod(number_from(context, step) for step in steps)


def refs(*steps: str) -> dict[str, str]:
    """Where a step's inputs came from."""
    return {step: f"{step}.result" for step in steps}


def verification(context: StepContext, exponent: int, actual: int) -> dict[str, Any]:
    """Whether the workflow's result is the task's number to the power of `exponent`, exactly."""
    original = even_number(context)
    expected = original**exponent
    return {
        "original_number": original,
        "expected_result": expected,
        "actual_result": actual,
        "matches": actual == expected,
    }
