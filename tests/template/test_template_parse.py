"""What a file says reaches the template: keys, aliases, defaults, environments, whole folders."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from template_texts import HEAD, STEPS, VALID, load, problems_of

from tasker_mp.errors import TemplateNotFoundError
from tasker_mp.template.model import (
    BatchConfig,
    EventPublication,
    HandlerDefinition,
    RetryPolicy,
    canonical_json,
    digest,
    from_json,
)
from tasker_mp.template.parse import load_templates, parse_template

FULL_STEP = """\
  - name: third
    description: the third
    step_type: batchable
    depends_on: [first, second]
    handler:
      callable: third_handler
      method: refund
      resolver: payments
      initialization: {rate: 0.5, deep: {list: [1, two, null]}}
    timeout_seconds: 2.5
    retry: {retryable: false, max_attempts: 7, backoff: none, backoff_base_ms: 0}
    publishes_events:
      - {name: done, condition: always, delivery_mode: fast, schema: {type: object}}
    batch_config: {batch_size: 10, worker_template: second, failure_strategy: isolate}
    result_schema: {type: object}
    system_dependency: bank
    lifecycle: {anything: goes}
"""


def parsed(text, environment="test"):
    source = parse_template(text, environment)
    assert source.report.problems == []
    return source.template


def test_what_a_step_does_not_say_has_its_default():
    step = parsed(VALID).steps[0]
    assert (step.type, step.dependencies, step.timeout_seconds) == ("standard", (), None)
    assert step.handler == HandlerDefinition("handlers.shop.First", "call", None, {})
    assert step.retry == RetryPolicy(True, 3, "exponential", 1000, 30000)


def test_every_key_of_a_step_arrives():
    step = parsed(VALID + FULL_STEP).steps[2]
    assert (step.name, step.description, step.type) == ("third", "the third", "batchable")
    assert step.dependencies == ("first", "second")
    assert step.handler == HandlerDefinition(
        "third_handler", "refund", "payments", {"rate": 0.5, "deep": {"list": [1, "two", None]}}
    )
    assert step.timeout_seconds == 2.5
    assert step.retry == RetryPolicy(False, 7, "none", 0, 30000)
    assert step.publishes_events == (
        EventPublication("done", None, {"type": "object"}, "always", "fast"),
    )
    assert step.batch_config == BatchConfig(10, None, None, "second", "isolate")
    assert (step.system_dependency, step.lifecycle) == ("bank", {"anything": "goes"})


def test_the_keys_of_a_template_arrive():
    template = parsed(
        f"{HEAD}description: d\nmetadata: {{created_at: 2024-01-31, tags: [a]}}\n"
        "task_handler: {callable: h.Task, initialization: {a: 1}}\n"
        "system_dependencies: {primary: db, secondary: [cache]}\n"
        "domain_events: [{name: shipped}]\ninput_schema: {type: object}\n"
        f"lifecycle: {{max_duration_minutes: 5, staleness_action: dlq}}\nloaded_from: /x\n{STEPS}"
    )
    assert template.key == "shop/orders@1.0.0"
    assert template.metadata == {"created_at": "2024-01-31", "tags": ["a"]}
    assert template.task_handler.initialization == {"a": 1}
    assert template.system_dependencies.secondary == ("cache",)
    assert template.domain_events[0].name == "shipped"
    assert template.lifecycle.max_duration_minutes == 5
    assert template.lifecycle.staleness_action == "dlq"
    assert b"loaded_from" not in canonical_json(template)


def test_an_empty_value_is_an_absent_one():
    assert parsed(f"description:\nmetadata:\n{VALID}") == parsed(VALID)


def test_integers_of_any_size_arrive_exactly():
    text = VALID.replace("handlers.shop.First", f"h.F\n      initialization: {{n: {6**64}}}")
    assert parsed(text).steps[0].handler.initialization == {"n": 6**64}


def test_free_form_keys_are_the_text_that_is_written():
    template = parsed(f"{VALID}metadata: {{on: 1, 200: ok, 1.50: x, null: n}}\n")
    assert set(template.metadata) == {"on", "200", "1.50", "null"}


def test_anchors_aliases_and_merge_keys_work():
    text = VALID.replace("  - name: first\n", "  - name: first\n    retry: &r {max_attempts: 9}\n")
    template = parsed(f"{text}    retry: {{<<: *r, backoff: none}}\n")
    assert template.steps[1].retry == RetryPolicy(max_attempts=9, backoff="none")


def test_an_explicit_key_wins_over_a_merged_one_and_an_earlier_source_over_a_later():
    text = f"{VALID}metadata: {{a: &a {{x: 1, y: 1}}, b: &b {{y: 2, z: 2}}, c: "
    template = parsed(f"{text}{{<<: [*a, *b], x: 0}}}}\n")
    assert template.metadata["c"] == {"x": 0, "y": 1, "z": 2}


# -- Environments ---------------------------------------------------------------------------------

OVERRIDES = """\
environments:
  test:
    steps:
      - name: first
        handler: {initialization: {b: 20, c: 30}}
        timeout_seconds: 5
        retry: {max_attempts: 9}
      - name: ALL
        timeout_seconds: 60
        retry: {max_attempts: 2, backoff: none}
"""
WITH_SETTINGS = VALID.replace(
    "handlers.shop.First", "h.F\n      initialization: {a: 1, b: 2}"
).replace("  - name: second\n", "  - name: second\n    retry: {backoff_base_ms: 7}\n")


def test_overrides_merge_key_by_key_and_a_named_one_wins_over_all():
    first, second = parsed(WITH_SETTINGS + OVERRIDES).steps
    assert first.handler.initialization == {"a": 1, "b": 20, "c": 30}
    assert (first.timeout_seconds, second.timeout_seconds) == (5, 60)
    assert first.retry == RetryPolicy(max_attempts=9, backoff="none")
    assert second.retry == RetryPolicy(max_attempts=2, backoff="none", backoff_base_ms=7)
    assert second.handler.initialization == {}


def test_another_environment_is_not_touched_and_the_block_is_not_stored():
    other = parsed(WITH_SETTINGS + OVERRIDES, "production")
    assert canonical_json(other) == canonical_json(parsed(WITH_SETTINGS))
    assert digest(other) != digest(parsed(WITH_SETTINGS + OVERRIDES))


# -- The stored form ------------------------------------------------------------------------------


def test_what_is_stored_reads_back_as_the_same_template():
    template = parsed(VALID + FULL_STEP)
    assert from_json(canonical_json(template)) == template


def test_the_digest_depends_on_the_content_and_not_on_its_order_or_spelling():
    reordered = f"{STEPS}namespace_name: 'shop'\nversion: 1.0.0\nname: orders\n"
    assert digest(parsed(reordered)) == digest(parsed(VALID))
    assert len(digest(parsed(VALID))) == 32
    assert digest(parsed(VALID.replace("1.0.0", "1.0.1"))) != digest(parsed(VALID))


# -- Folders and versions -------------------------------------------------------------------------


def test_templates_are_found_at_any_depth_and_the_highest_version_is_chosen(tmp_path):
    for version in ("1.9.0", "1.10.0", "1.2.11"):
        folder = tmp_path / "deep" / version
        folder.mkdir(parents=True)
        (folder / "t.yml").write_text(VALID.replace("1.0.0", version))
    (tmp_path / "notes.txt").write_text("no template")
    loaded = load_templates(tmp_path, "test")
    assert loaded.problems == []
    assert loaded.find("shop", "orders").version == "1.10.0"
    assert loaded.find("shop", "orders", "1.9.0").version == "1.9.0"
    assert loaded.namespaces == ["shop"]


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (("shop", "order"), "no template shop/order; did you mean shop/orders?"),
        (("Shop", "Orders"), "no template Shop/Orders; did you mean shop/orders?"),
        (("zzz", "qqq"), "no template zzz/qqq; known: shop/orders"),
        (
            ("shop", "orders", "2.0.0"),
            "no version 2.0.0 of template shop/orders; there is 1.0.0, 1.9.0, 1.10.0",
        ),
    ],
)
def test_an_unknown_template_names_the_nearest(tmp_path, wanted, message):
    texts = [VALID.replace("1.0.0", version) for version in ("1.0.0", "1.10.0", "1.9.0")]
    with pytest.raises(TemplateNotFoundError) as caught:
        load(tmp_path, *texts).find(*wanted)
    assert str(caught.value) == message
    assert caught.value.exit_code == 2


def test_a_template_with_problems_hides_no_other_and_says_so_when_it_is_wanted(tmp_path):
    bad = VALID.replace("orders", "broken").replace("[first]", "[frist]")
    loaded = load(tmp_path, bad, VALID)
    assert [template.name for template in loaded.templates] == ["orders"]
    with pytest.raises(TemplateNotFoundError, match=r"has problems; see: .* validate .*t0.yaml"):
        loaded.find("shop", "broken")


def test_the_problems_of_all_files_are_reported_together(tmp_path):
    loaded = load(tmp_path, "name: [", VALID.replace("[first]", "[frist]"))
    assert [Path(problem.file).name for problem in loaded.problems] == ["t0.yaml", "t1.yaml"]


def test_a_key_may_be_defined_once(tmp_path):
    loaded = load(tmp_path, VALID, VALID)
    (problem,) = loaded.problems
    assert Path(problem.file).name == "t1.yaml"
    assert (problem.line, problem.place, problem.value) == (1, "name", '"shop/orders@1.0.0"')
    assert "also defined in" in problem.message
    assert "another version" in problem.cure
    assert len(loaded.templates) == 1


def test_namespaces_that_differ_only_in_case_would_share_a_queue(tmp_path):
    other = VALID.replace("orders", "returns").replace("name: shop", "name: Shop")
    (problem,) = load(tmp_path, VALID, other).problems
    assert Path(problem.file).name == "t1.yaml"
    assert (problem.line, problem.place, problem.value) == (3, "namespace_name", '"Shop"')
    assert 'differs from "shop" only in case' in problem.message
    assert "share a queue" in problem.cure


def test_a_missing_path_is_a_problem(tmp_path):
    (problem,) = load_templates(tmp_path / "none", "test").problems
    assert problem.file == str(tmp_path / "none")
    assert problem.message == "no such file or folder"


def test_a_file_that_is_not_utf8_is_a_problem(tmp_path):
    (tmp_path / "t.yaml").write_bytes(b"name: \xff\n")
    (problem,) = load_templates(tmp_path, "test").problems
    assert (problem.message, problem.cure) == ("not UTF-8 at byte 6", "save the file as UTF-8")


def test_a_file_that_cannot_be_opened_is_a_problem(tmp_path):
    (tmp_path / "t.yaml").symlink_to(tmp_path / "gone")
    (problem,) = load_templates(tmp_path, "test").problems
    assert "cannot be read: No such file" in problem.message


def test_several_paths_may_be_files_and_folders(tmp_path):
    (tmp_path / "a.yaml").write_text(VALID)
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "b.yaml").write_text(VALID.replace("orders", "returns"))
    loaded = load_templates([tmp_path / "a.yaml", tmp_path / "more"], "test")
    assert {template.name for template in loaded.templates} == {"orders", "returns"}


@given(st.text(max_size=60), st.integers(0, len(VALID)), st.integers(0, 20))
def test_no_text_makes_the_parser_raise(junk, at, cut):
    for problem in problems_of(VALID[:at] + junk + VALID[at + cut :]):
        assert str(problem).isprintable()
