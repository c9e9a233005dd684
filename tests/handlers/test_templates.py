import pytest

from tasker_mp import HandlerRegistry

WORKFLOWS = {
    "linear_workflow/mathematical_sequence": {
        "linear_step_1": (),
        "linear_step_2": ("linear_step_1",),
        "linear_step_3": ("linear_step_2",),
        "linear_step_4": ("linear_step_3",),
    },
    "diamond_workflow/diamond_pattern": {
        "diamond_start": (),
        "diamond_branch_b": ("diamond_start",),
        "diamond_branch_c": ("diamond_start",),
        "diamond_end": ("diamond_branch_b", "diamond_branch_c"),
    },
    "tree_workflow/hierarchical_tree": {
        "tree_root": (),
        "tree_branch_left": ("tree_root",),
        "tree_branch_right": ("tree_root",),
        "tree_leaf_d": ("tree_branch_left",),
        "tree_leaf_e": ("tree_branch_left",),
        "tree_leaf_f": ("tree_branch_right",),
        "tree_leaf_g": ("tree_branch_right",),
        "tree_final_convergence": ("tree_leaf_d", "tree_leaf_e", "tree_leaf_f", "tree_leaf_g"),
    },
    "mixed_dag_workflow/complex_dag": {
        "dag_init": (),
        "dag_process_left": ("dag_init",),
        "dag_process_right": ("dag_init",),
        "dag_validate": ("dag_process_left", "dag_process_right"),
        "dag_transform": ("dag_process_left",),
        "dag_analyze": ("dag_process_right",),
        "dag_finalize": ("dag_validate", "dag_transform", "dag_analyze"),
    },
    "order_fulfillment/business_workflow": {
        "validate_order": (),
        "reserve_inventory": ("validate_order",),
        "process_payment": ("validate_order", "reserve_inventory"),
        "ship_order": ("validate_order", "reserve_inventory", "process_payment"),
    },
}


def test_the_templates_load_without_a_problem_in_every_environment(every_environment):
    _, templates = every_environment
    assert templates.problems == []
    assert templates.warnings == []


def test_the_five_workflows_have_their_steps_and_edges(every_environment):
    _, templates = every_environment
    shapes = {
        template.path: {step.name: step.dependencies for step in template.steps}
        for template in templates.templates
    }
    assert {path: shapes.get(path) for path in WORKFLOWS} == WORKFLOWS


def test_all_27_handlers_resolve_and_are_all_there_is(templates, registry):
    checks = registry.check(templates.templates)
    assert registry.problems_of(templates.templates) == []
    assert len({check.callable for check in checks}) == 27
    assert HandlerRegistry(["handlers"]).discover_handlers("handlers") == 27


@pytest.mark.parametrize("path", WORKFLOWS)
def test_every_input_schema_takes_an_object_and_leaves_the_rest_to_the_handlers(templates, path):
    template = templates.find(*path.split("/"))
    assert template.input_schema["type"] == "object"
    assert "required" not in template.input_schema


@pytest.mark.parametrize("path", WORKFLOWS)
def test_every_step_has_a_deadline_and_a_policy_for_the_environment(every_environment, path):
    environment, templates = every_environment
    caps = {"test": 100, "development": 5000, "production": 60_000}
    for step in templates.find(*path.split("/")).steps:
        assert step.timeout_seconds
        assert step.retry.max_backoff_ms == caps[environment]


def test_an_environment_changes_settings_of_a_handler(every_environment):
    environment, templates = every_environment
    steps = templates.find("order_fulfillment", "business_workflow").steps
    minutes = steps[1].handler.initialization["reservation_minutes"]
    assert minutes == (1 if environment == "test" else 30)
