from stepping import TASK, context_of

from tasker_mp.models import DependencyResultsWrapper, TaskSequenceStepWrapper
from tasker_mp.template.model import EventPublication, HandlerDefinition, StepDefinition
from tasker_mp.types import TaskSequenceStep

STEP = StepDefinition(
    "charge",
    HandlerDefinition("x.Y", method="refund", resolver="payments", initialization={"n": 1}),
    dependencies=("a", "b"),
    timeout_seconds=5,
    publishes_events=(EventPublication("charged"),),
)
CHECKPOINT = {"cursor": {"page": 2}, "items_processed": 20, "accumulated_results": {"sum": 5}}


def test_the_seeds_view_of_a_step():
    context = context_of(
        context={"amount": 7},
        dependencies={"a": {"result": 36, "took": 1}, "b": {"rows": 2}},
        attempt=2,
        step=STEP,
        inputs={"cursor": {"batch_id": "001"}},
        checkpoint=CHECKPOINT,
    )
    view = context.task_sequence_step
    assert isinstance(view, TaskSequenceStep)
    assert TaskSequenceStep is TaskSequenceStepWrapper
    assert (view.get_task_field("amount"), view.get_task_field("other")) == (7, None)
    assert (view.get_dependency_result("a"), view.get_results("b")) == (36, {"rows": 2})
    assert (view.task.task_uuid, view.task.task_name) == (context.task_uuid, "flow")
    assert (view.task.namespace_name, view.task.task_version) == ("spaces", "1.2.3")
    step = view.workflow_step
    assert (step.workflow_step_uuid, step.name) == (context.step_uuid, "charge")
    assert (step.attempts, step.max_attempts, step.in_process) == (2, 3, True)
    assert step.inputs == {"cursor": {"batch_id": "001"}}
    assert step.checkpoint == CHECKPOINT
    definition = view.step_definition
    assert (definition.name, definition.description) == ("charge", "")
    assert (definition.dependencies, definition.timeout_seconds) == (["a", "b"], 5)
    assert definition.publishes_events == ["charged"]
    assert definition.handler.handler_method == "refund"
    assert (definition.handler.resolver, definition.handler.initialization) == (
        "payments",
        {"n": 1},
    )


def test_the_event_has_it_as_plain_dicts():
    event = context_of(step=STEP, checkpoint=CHECKPOINT).event
    assert event.task_uuid.replace("-", "") == TASK
    assert event.task_sequence_step["workflow_step"]["checkpoint"] == CHECKPOINT
    assert event.task_sequence_step["step_definition"]["handler"]["callable"] == "x.Y"


def test_results_by_name():
    results = DependencyResultsWrapper.from_dict({"a": {"result": 1}, "b": None})
    assert (results.get_result("a"), results["a"], results.get_results("a")) == (
        {"result": 1},
        {"result": 1},
        1,
    )
    assert (list(results), results.keys(), len(results)) == (["a", "b"], ["a", "b"], 2)
    assert "a" in results
    assert results["nobody"] is None


def test_nothing_at_all_is_wrapped_too():
    view = TaskSequenceStepWrapper.from_dict(None)
    assert (view.task.task_uuid, view.get_task_field("a"), view.get_results("a")) == (
        "",
        None,
        None,
    )


def test_a_context_without_a_checkpoint():
    context = context_of()
    assert (context.checkpoint, context.checkpoint_cursor) == (None, None)
    assert (context.checkpoint_items_processed, context.accumulated_results) == (0, None)
    assert not context.has_checkpoint()
    assert context.step_inputs == {}


def test_a_context_with_a_checkpoint():
    context = context_of(checkpoint=CHECKPOINT, inputs={"a": 1})
    assert context.has_checkpoint()
    assert (context.checkpoint_cursor, context.checkpoint_items_processed) == ({"page": 2}, 20)
    assert context.accumulated_results == {"sum": 5}
    assert context.step_inputs == {"a": 1}
    assert context_of(checkpoint={**CHECKPOINT, "cursor": 0}).has_checkpoint()
