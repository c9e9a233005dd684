from uuid import UUID

import pytest
from stepping import EVENT_ID, TASK, context_of

from tasker_mp.identity import split_step_uuid
from tasker_mp.template.model import HandlerDefinition, StepDefinition


def test_uuids_are_hyphenated_strings():
    context = context_of(step_no=3)
    assert context.task_uuid == str(UUID(TASK))
    assert split_step_uuid(UUID(context.step_uuid)) == (UUID(TASK), 3)
    assert context.event_id == str(UUID(bytes=EVENT_ID))


def test_the_correlation_id_defaults_to_the_task():
    assert context_of().correlation_id == str(UUID(TASK))
    assert context_of(correlation_id="order-7").correlation_id == "order-7"


def test_trace_and_span_have_the_sizes_of_w3c_trace_context():
    context = context_of()
    assert (context.trace_id, context.span_id) == (TASK, EVENT_ID[8:].hex())
    assert context_of(event_id=b"\x01").span_id == "0000000000000001"


def test_input_is_read_by_key():
    context = context_of(context={"a": 1, "none": None, "zero": 0})
    assert context.input_data == {"a": 1, "none": None, "zero": 0}
    assert (context.get_input("a"), context.get_input("b")) == (1, None)
    assert context.get_task_field("a") == 1
    assert context.get_input_or("b", 5) == 5
    assert context.get_input_or("none", 5) == 5
    assert context.get_input_or("zero", 5) == 0


def test_integers_of_any_size_are_exact():
    huge = 6**400 + 1
    context = context_of(context={"n": huge}, dependencies={"a": {"result": huge}})
    assert context.get_input("n") == huge
    assert context.get_dependency_result("a") == huge


def test_text_beyond_ascii_is_kept():
    assert context_of(context={"ключ": "💡\x00"}).get_input("ключ") == "💡\x00"


def test_settings_are_the_handlers_initialization_and_a_copy():
    step = StepDefinition("a", HandlerDefinition("x.Y", initialization={"deep": {"n": 1}}))
    context = context_of(step=step)
    assert context.step_config == {"deep": {"n": 1}}
    assert context.get_config("other") is None
    context.get_config("deep")["n"] = 2
    assert context.step_definition.handler.initialization == {"deep": {"n": 1}}


DEPENDENCIES = {
    "a": {"result": 7, "note": {"by": ["x", "y"]}},
    "b": {"rows": [1]},
    "batch_1": {"result": {"n": 1, "note": "inside"}, "note": "outside"},
    "batch_2": {"result": 2},
    "nothing": None,
}


def test_dependency_results_are_unwrapped_once():
    context = context_of(dependencies=DEPENDENCIES)
    assert context.dependency_results == DEPENDENCIES
    assert context.get_dependency_result("a") == 7
    assert context.get_results("a") == 7
    assert context.get_dependency_result("b") == {"rows": [1]}
    assert context.get_dependency_result("nothing") is None
    assert context.get_dependency_result("unknown") is None
    twice = context_of(dependencies={"a": {"result": {"result": 1}}})
    assert twice.get_dependency_result("a") == {"result": 1}


def test_dependency_fields_are_found_inside_the_result_or_beside_it():
    context = context_of(dependencies=DEPENDENCIES)
    assert context.get_dependency_field("batch_1", "n") == 1
    assert context.get_dependency_field("batch_1", "note") == "inside"
    assert context.get_dependency_field("a", "note", "by", 1) == "y"
    assert context.get_dependency_field("a", "note", "by", 2) is None
    assert context.get_dependency_field("a", "note", "nobody", "else") is None
    assert context.get_dependency_field("b", "rows") == [1]
    assert context.get_dependency_field("a") == 7
    assert context.get_dependency_field("unknown", "n") is None


def test_dependencies_are_listed_and_gathered_by_prefix():
    context = context_of(dependencies=DEPENDENCIES)
    assert set(context.get_dependency_result_keys()) == set(DEPENDENCIES)
    assert context.get_all_dependency_results("batch_") == [{"n": 1, "note": "inside"}, 2]
    assert context.get_all_dependency_results("none_") == []
    assert context.get_all_dependency_results("nothing") == []


@pytest.mark.parametrize(
    ("attempt", "retry", "count", "most", "again", "last"),
    [
        (1, {"max_attempts": 3}, 0, 2, False, False),
        (2, {"max_attempts": 3}, 1, 2, True, False),
        (3, {"max_attempts": 3}, 2, 2, True, True),
        (1, {"max_attempts": 1}, 0, 0, False, True),
        (1, {"max_attempts": 3, "retryable": False}, 0, 0, False, True),
    ],
)
def test_attempts(attempt, retry, count, most, again, last):
    context = context_of(attempt=attempt, **retry)
    assert (context.retry_count, context.max_retries) == (count, most)
    assert (context.is_retry(), context.is_last_retry()) == (again, last)


def test_the_views_of_task_and_step():
    context = context_of(context={"a": 1}, attempt=2, max_attempts=4)
    task, step = context.task, context.workflow_step
    assert (task.namespace_name, task.name, task.version) == ("spaces", "flow", "1.2.3")
    assert (task.task_uuid, task.context) == (context.task_uuid, {"a": 1})
    assert task.correlation_id == context.correlation_id
    assert (step.workflow_step_uuid, step.name) == (context.step_uuid, "step_a")
    assert (step.attempts, step.max_attempts, step.retryable) == (2, 4, True)
    assert context.step_definition.name == "step_a"
    assert context.handler_name == "handlers.linear.LinearStep1Handler"
    assert context.step_inputs == {}


def test_what_a_handler_changes_is_its_own():
    first = context_of(context={"list": [1]})
    first.get_input("list").append(2)
    assert first.get_input("list") == [1, 2]
    assert context_of(context={"list": [1]}).get_input("list") == [1]
