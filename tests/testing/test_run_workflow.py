import time
from pathlib import Path

import pytest

from tasker_mp import StepHandler, load_config
from tasker_mp.batch_processing import Batchable
from tasker_mp.errors import (
    EngineError,
    HandlerLoadError,
    InvalidInputError,
    TemplateError,
    TemplateNotFoundError,
)
from tasker_mp.template.model import (
    HandlerDefinition,
    RetryPolicy,
    StepDefinition,
    Template,
)
from tasker_mp.testing import run_workflow

YAML = """
name: pair
namespace_name: spaces
version: 1.2.0
steps:
  - name: first
    handler: {callable: nowhere.First, resolver: class_lookup}
  - name: second
    dependencies: [first]
    handler: {callable: second}
"""


def flow(*steps: StepDefinition) -> Template:
    return Template("spaces", "flow", "1.0.0", steps)


def step(name: str, *parents: str, **retry) -> StepDefinition:
    policy = RetryPolicy(**retry)
    return StepDefinition(name, HandlerDefinition(name), dependencies=parents, retry=policy)


class Counts(StepHandler):
    def __init__(self):
        self.calls = 0

    def call(self, context):
        self.calls += 1
        return self.calls


class Endless(StepHandler, Batchable):
    def call(self, context):
        return self.checkpoint_yield(1, 1)


def fails(context):
    raise OSError("never")


def once(context):
    if not context.is_retry():
        raise OSError("once")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "config" / "tasks").mkdir(parents=True)
    (tmp_path / "config" / "tasks" / "pair.yaml").write_text(YAML)
    return tmp_path


HANDLERS = {"nowhere.First": lambda context: 1, "second": Counts}


def test_a_template_is_named_by_path_file_or_value(project, monkeypatch):
    monkeypatch.chdir(project)
    file = project / "config" / "tasks" / "pair.yaml"
    for given in ("spaces/pair", "spaces/pair@1.2.0", file, str(file), "config/tasks/pair.yaml"):
        task = run_workflow(given, handlers=HANDLERS)
        assert (task.state, task.results["second"]) == ("complete", {"result": 1})
        assert (task.namespace, task.name, task.version) == ("spaces", "pair", "1.2.0")


def test_instances_are_those_of_one_run(monkeypatch, project):
    template = flow(step("a"), step("b", "a"))
    for _ in range(2):
        task = run_workflow(template, handlers={"a": Counts, "b": Counts})
        assert [s.result for s in task.steps] == [{"result": 1}, {"result": 2}]
    kept = Counts()
    run_workflow(template, handlers={"a": kept, "b": kept})
    assert kept.calls == 2


def test_the_clock_passes_and_nobody_waits():
    hours = {"max_attempts": 3, "backoff_base_ms": 3_600_000, "max_backoff_ms": 10**9}
    template = flow(
        step("long", **hours), step("short", max_attempts=2), step("behind", "long", "short")
    )
    started = time.monotonic()
    handlers = {"long": fails, "short": once, "behind": Counts}
    task = run_workflow(template, handlers=handlers)
    assert time.monotonic() - started < 60
    assert task.step("long").delays == [3600, 7200]
    assert task.step("short").delays == [1]
    assert task.waited_seconds == 3600 + 7200
    assert (task.completed_at - task.created_at).total_seconds() == 3600 + 7200
    assert (task.step("short").finished_at - task.created_at).total_seconds() == 1
    assert task.step("long").error["attempt"] == 3
    assert task.step("behind").state == "pending"
    assert task.execution_status == "blocked_by_failures"


def test_a_step_that_yields_without_end_is_told():
    with pytest.raises(EngineError, match="step a has yielded 10000 times"):
        run_workflow(flow(step("a")), handlers={"a": Endless})


def test_a_step_that_is_not_there_is_told_with_those_that_are():
    task = run_workflow(flow(step("a")), handlers={"a": Counts})
    with pytest.raises(KeyError, match=r"no step 'b' in \['a'\]"):
        task.step("b")


def test_wrong_templates_are_told_as_the_command_line_does(project):
    config = load_config(project / "config", "test", environ={})
    with pytest.raises(TemplateNotFoundError, match="did you mean spaces/pair"):
        run_workflow("spaces/pear", config=config)
    broken = project / "config" / "tasks" / "broken.yaml"
    broken.write_text(YAML.replace("[first]", "[fist]").replace("pair", "other"))
    with pytest.raises(TemplateError, match="fist"):
        run_workflow("config/tasks/broken.yaml", config=config)
    with pytest.raises(TemplateError, match="no such file"):
        run_workflow("config/none.yaml", config=config)


def test_what_is_no_handler_is_the_tests_own_error():
    with pytest.raises(HandlerLoadError, match="a: 5 is no handler"):
        run_workflow(flow(step("a")), handlers={"a": 5})


def test_a_mistyped_handler_is_told_before_a_real_one_runs():
    with pytest.raises(InvalidInputError, match="has the handler 'b'"):
        run_workflow(flow(step("a")), handlers={"a": Counts, "b": Counts})


def test_a_handler_that_is_missing_fails_its_step(project):
    config = load_config(project / "config", "test", environ={})
    task = run_workflow("spaces/pair", handlers={"second": Counts}, config=config)
    assert task.errors["first"]["error_code"] == "HANDLER_NOT_FOUND"
    assert task.step("second").state == "pending"
