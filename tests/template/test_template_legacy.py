"""The older forms load unchanged, each with its notice."""

import pytest
from template_texts import HEAD, STEPS, VALID, notices_of, only_problem

from tasker_mp.template.model import RetryPolicy
from tasker_mp.template.parse import parse_template

SYMBOLS = """\
:name: mathematical_sequence
:namespace_name: linear_workflow
:version: 1.0.0
:description: "Sequential mathematical operations"
:task_handler:
  :callable: tasker_worker::step_handlers::Handler
:steps:
  - :name: linear_step_1
    :type: :standard
    :handler:
      :callable: tasker_worker::step_handlers::linear::LinearStep1Handler
      :initialization:
        :operation: square
    :dependencies: []
  - :name: linear_step_2
    :handler:
      :callable: LinearWorkflow::StepHandlers::LinearStep2Handler
    :dependencies:
      - linear_step_1
"""


def old_step(keys):
    text = HEAD + STEPS + "  - name: third\n" + "".join(f"    {key}\n" for key in keys)
    source = parse_template(text, "test")
    assert source.report.problems == [], [str(p) for p in source.report.problems]
    return source.template.steps[2], source.report.warnings


def test_the_ruby_symbol_form_loads_with_one_notice():
    source = parse_template(SYMBOLS, "test", "math.yaml")
    assert source.report.problems == []
    first, second = source.template.steps
    assert source.template.key == "linear_workflow/mathematical_sequence@1.0.0"
    assert first.type == "standard"
    assert first.handler.initialization == {"operation": "square"}
    assert second.handler.callable == "LinearWorkflow::StepHandlers::LinearStep2Handler"
    assert second.dependencies == ("linear_step_1",)
    (notice,) = source.report.warnings
    assert (notice.file, notice.line, notice.old) == ("math.yaml", 1, "the Ruby-symbol form")
    assert "deprecated; write plain keys, such as name" in str(notice)


def test_symbols_in_the_steps_only_are_seen_too():
    text = HEAD + "steps:\n  - :name: a\n    :handler: {callable: h.A}\n"
    (notice,) = notices_of(text)
    assert notice.line == 5


def test_problems_of_the_symbol_form_keep_their_lines():
    problem = only_problem(SYMBOLS.replace("- linear_step_1", "- linear_step_9"))
    assert (problem.line, problem.place) == (19, "steps[1].dependencies[0]")


def test_a_key_with_and_without_its_colon_is_a_duplicate():
    problem = only_problem(SYMBOLS + "name: again\n")
    assert (problem.line, problem.place) == (20, "name")
    assert "duplicate key 'name', first on line 1" in problem.message


def test_a_template_of_today_keeps_colons_in_its_free_form_values():
    template = parse_template(f"{VALID}metadata: {{a: ':b', ':c': d}}\n", "test").template
    assert template.metadata == {"a": ":b", ":c": "d"}


HANDLER = "handler: {callable: h.C}"


@pytest.mark.parametrize(
    ("keys", "read", "expected", "old", "new"),
    [
        (
            ["handler_class: Shop::Third"],
            lambda s: s.handler.callable,
            "Shop::Third",
            "handler_class",
            "handler.callable",
        ),
        (
            [HANDLER, "handler_config: {a: 1}"],
            lambda s: (s.handler.callable, s.handler.initialization),
            ("h.C", {"a": 1}),
            "handler_config",
            "handler.initialization",
        ),
        (
            ["handler: {callable: h.C, handler_config: {a: 1}}"],
            lambda s: s.handler.initialization,
            {"a": 1},
            "handler_config",
            "initialization",
        ),
        (
            [HANDLER, "depends_on_step: first"],
            lambda s: s.dependencies,
            ("first",),
            "depends_on_step",
            "dependencies",
        ),
        (
            [HANDLER, "depends_on_steps: [first, second]"],
            lambda s: s.dependencies,
            ("first", "second"),
            "depends_on_steps",
            "dependencies",
        ),
        (
            [HANDLER, "default_retryable: false"],
            lambda s: s.retry,
            RetryPolicy(retryable=False),
            "default_retryable",
            "retry.retryable",
        ),
        (
            [HANDLER, "default_retry_limit: 4"],
            lambda s: s.retry,
            RetryPolicy(max_attempts=4),
            "default_retry_limit",
            "retry.max_attempts",
        ),
        (
            [HANDLER, "retry: {limit: 0}"],
            lambda s: s.retry,
            RetryPolicy(max_attempts=1),
            "limit",
            "max_attempts",
        ),
        (
            [HANDLER, "retry: {initial_delay: 1.5}"],
            lambda s: s.retry,
            RetryPolicy(backoff_base_ms=1500),
            "initial_delay",
            "backoff_base_ms",
        ),
        (
            [HANDLER, "retry: {max_delay: 60}"],
            lambda s: s.retry,
            RetryPolicy(max_backoff_ms=60000),
            "max_delay",
            "max_backoff_ms",
        ),
    ],
)
def test_an_older_key_of_a_step_means_todays(keys, read, expected, old, new):
    step, warnings = old_step(keys)
    assert read(step) == expected
    (notice,) = warnings
    assert (notice.old, notice.new) == (old, new)
    assert notice.place.startswith("steps[2].")


def test_both_older_ways_to_depend_add_up():
    step, warnings = old_step([HANDLER, "depends_on_step: first", "depends_on_steps: [second]"])
    assert step.dependencies == ("first", "second")
    assert len(warnings) == 2


def test_older_keys_of_the_template_mean_todays():
    text = HEAD + STEPS.replace("steps:", "step_templates:")
    text += "named_steps: [first, second]\nhandler_class: Shop::Task\nhandler_config: {a: 1}\n"
    template = parse_template(text, "test").template
    assert [step.name for step in template.steps] == ["first", "second"]
    assert template.task_handler.callable == "Shop::Task"
    assert template.task_handler.initialization == {"a": 1}
    assert {notice.old for notice in notices_of(text)} == {
        "step_templates",
        "named_steps",
        "handler_class",
        "handler_config",
    }


def test_older_keys_in_an_environment_mean_todays():
    text = f"{VALID}environments:\n  test:\n    step_templates:\n"
    text += "      - {name: first, handler_config: {a: 1}, default_retry_limit: 9}\n"
    first = parse_template(text, "test").template.steps[0]
    assert (first.handler.initialization, first.retry.max_attempts) == ({"a": 1}, 9)
    assert len(notices_of(text)) == 3


def test_an_older_key_beside_todays_is_a_problem():
    text = VALID.replace("callable: handlers.shop.First", "callable: h.F\n    handler_class: h.G")
    problem = only_problem(text)
    assert (problem.line, problem.place) == (8, "steps[0].handler_class")
    assert "means the same as 'callable'" in problem.message


def test_a_wrong_value_under_an_older_key_is_reported_at_its_line():
    problem = only_problem(VALID + "    default_retry_limit: many\n")
    assert (problem.line, problem.value) == (12, '"many"')
