import pytest
from stepping import context_of, metadata_of, run, walk

FINALS = {
    "linear_workflow/mathematical_sequence": ("linear_step_4", 8),
    "diamond_workflow/diamond_pattern": ("diamond_end", 16),
    "tree_workflow/hierarchical_tree": ("tree_final_convergence", 32),
    "mixed_dag_workflow/complex_dag": ("dag_finalize", 64),
}
every_workflow = pytest.mark.parametrize("path", FINALS)


@pytest.fixture
def walked(templates, registry):
    """Runs a whole task of the workflow at a path."""
    return lambda path, context: walk(templates.find(*path.split("/")), registry, context)


@every_workflow
@pytest.mark.parametrize("n", [6, 2, 0, -4, 10**20])
def test_the_final_result_is_the_exact_power(walked, path, n):
    results, outcome = walked(path, {"even_number": n})
    assert outcome.error is None
    step, exponent = FINALS[path]
    assert results[step]["result"] == n**exponent
    assert results[step]["verification"] == {
        "original_number": n,
        "expected_result": n**exponent,
        "actual_result": n**exponent,
        "matches": True,
    }


@every_workflow
def test_every_result_says_what_was_done_to_what(walked, path):
    results, _ = walked(path, {"even_number": 6})
    for result in results.values():
        assert type(result["result"]) is int
        assert isinstance(result["operation"], str)
        assert isinstance(result["step_type"], str)
        assert result["input_refs"]
    assert [name for name, result in results.items() if "verification" in result] == [
        FINALS[path][0]
    ]


def test_the_steps_of_the_mixed_dag_compute_what_they_should(walked):
    results, _ = walked("mixed_dag_workflow/complex_dag", {"even_number": 6})
    exponents = {
        "dag_init": 2,
        "dag_process_left": 4,
        "dag_process_right": 4,
        "dag_validate": 16,
        "dag_transform": 8,
        "dag_analyze": 8,
        "dag_finalize": 64,
    }
    assert {name: result["result"] for name, result in results.items()} == {
        name: 6**exponent for name, exponent in exponents.items()
    }


@every_workflow
@pytest.mark.parametrize("context", [{}, {"even_number": None}, {"number": 6}])
def test_a_missing_number_is_a_permanent_error(walked, path, context):
    results, outcome = walked(path, context)
    assert results == {}
    assert outcome.error.error_code == "MISSING_CONTEXT_FIELD"
    assert (outcome.error.error_type, outcome.error.retryable) == ("validation_error", False)
    assert metadata_of(outcome)["field"] == "even_number"


@every_workflow
@pytest.mark.parametrize("value", [7, -1, True, False, 6.0, 6.5, "6", [6], {"n": 6}, 10**30 + 1])
def test_an_odd_or_non_integer_number_is_a_permanent_error(walked, path, value):
    results, outcome = walked(path, {"even_number": value})
    assert results == {}
    assert outcome.error.error_code == "VALIDATION_ERROR"
    assert outcome.error.retryable is False
    assert "even_number" in outcome.error.message
    metadata = metadata_of(outcome)
    assert (metadata["field"], metadata["value"]) == ("even_number", value)


def test_a_wrong_result_does_not_match(registry):
    context = context_of(
        context={"even_number": 6}, dependencies={"linear_step_3": {"result": 6**8 + 1}}
    )
    handler = registry.resolve("handlers.linear.LinearStep4Handler")
    verification = handler.call(context)["verification"]
    assert verification["matches"] is False
    assert verification["actual_result"] - verification["expected_result"] == 1


@pytest.mark.parametrize("dependencies", [{}, {"linear_step_1": {"result": "36"}}])
def test_a_parent_without_a_number_is_a_permanent_error(registry, dependencies):
    handler = registry.resolve("handlers.linear.LinearStep2Handler")
    outcome = run(handler, context_of(context={"even_number": 6}, dependencies=dependencies))
    assert outcome.error.error_code == "MISSING_DEPENDENCY_RESULT"
    assert outcome.error.retryable is False
