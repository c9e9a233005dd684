"""A template may say that a handler runs in threads; else its class does."""

from template_texts import VALID, only_problem

from tasker_mp.template.model import canonical_json, from_json
from tasker_mp.template.parse import parse_template

_THREAD = VALID.replace(
    "      callable: handlers.shop.First\n",
    "      callable: handlers.shop.First\n      concurrency: thread\n",
)


def test_a_handler_is_said_to_run_in_threads() -> None:
    template = parse_template(_THREAD, "test", "orders.yaml").template
    assert template is not None
    assert [step.handler.concurrency for step in template.steps] == ["thread", None]
    assert from_json(canonical_json(template)) == template


def test_there_is_no_other_kind_to_ask_for() -> None:
    problem = only_problem(_THREAD.replace("concurrency: thread", "concurrency: threads"))
    assert problem.line == 8
    assert "steps[0].handler.concurrency" in str(problem)
    assert "thread" in str(problem)
