"""Every kind of mistake in a file is reported with its file, line, place, value and cure."""

import pytest
from template_texts import HEAD, STEPS, VALID, only_problem, problems_of

from tasker_mp.template.parse import parse_template

# What stands in for what, then the line, place, value, and parts of the message and the cure.
CASES = {
    "wrong type where a text is wanted": (
        ("version: 1.0.0", "version: 1.0"),
        (2, "version", "1.0", "not allowed", "X.Y.Z, such as 1.0.0, in quotes"),
    ),
    "version not X.Y.Z": (
        ("version: 1.0.0", "version: 1.0.0-rc1"),
        (2, "version", '"1.0.0-rc1"', "not allowed", "X.Y.Z"),
    ),
    "version with a leading zero": (
        ("version: 1.0.0", "version: 1.01.0"),
        (2, "version", '"1.01.0"', "not allowed", "X.Y.Z"),
    ),
    "version too long": (
        ("version: 1.0.0", f"version: 1.0.{'1' * 50}"),
        (2, "version", f'"1.0.{"1" * 50}"', "not allowed", "1 to 50 characters, not 54"),
    ),
    "name too long": (
        ("name: orders", f"name: {'n' * 256}"),
        (1, "name", f'"{"n" * 78}…', "not allowed", "1 to 255 characters, not 256"),
    ),
    "name empty": (
        ("name: orders", 'name: ""'),
        (1, "name", '""', "not allowed", "1 to 255 characters, not 0"),
    ),
    "namespace too long": (
        ("shop\n", f"{'s' * 30}\n"),
        (3, "namespace_name", f'"{"s" * 30}"', "not allowed", "1 to 29 of A-Z, a-z, 0-9 and _"),
    ),
    "namespace that PGMQ would refuse": (
        ("namespace_name: shop", "namespace_name: web-shop"),
        (3, "namespace_name", '"web-shop"', "not allowed", "1 to 29 of A-Z, a-z, 0-9 and _"),
    ),
    "missing key": (
        ("version: 1.0.0\n", ""),
        (1, "version", "null", "'version' is missing", "add version:"),
    ),
    "required key without a value": (
        ("version: 1.0.0", "version:"),
        (1, "version", "null", "'version' is missing", "add version:"),
    ),
    "unknown key": (
        ("    dependencies: [first]", "    dependancies: [first]"),
        (
            11,
            "steps[1].dependancies",
            '"dependancies"',
            "unknown key 'dependancies'",
            "'dependencies'",
        ),
    ),
    "unknown key in a section": (
        ("      callable: handlers.shop.First", "      callable: h.F\n      methd: go"),
        (8, "steps[0].handler.methd", '"methd"', "unknown key 'methd'", "did you mean 'method'?"),
    ),
    "section that is no mapping": (
        ("handler:\n      callable: handlers.shop.First", "handler: handlers.shop.First"),
        (
            6,
            "steps[0].handler",
            '"handlers.shop.First"',
            "not allowed",
            "a mapping with keys of: callable",
        ),
    ),
    "list that is no list": (
        ("[first]", "first"),
        (11, "steps[1].dependencies", '"first"', "not allowed", "write a list"),
    ),
    "item of a list of the wrong type": (
        ("[first]", "[first, 7]"),
        (11, "steps[1].dependencies[1]", "7", "not allowed", "text, in quotes"),
    ),
    "callable that is no dotted path": (
        ("handlers.shop.First", "handlers..First"),
        (7, "steps[0].handler.callable", '"handlers..First"', "not allowed", "a dotted path"),
    ),
    "duplicate step": (
        ("name: second", "name: first"),
        (
            8,
            "steps[1].name",
            '"first"',
            "duplicate step 'first', first on line 5",
            "its own name",
        ),
    ),
    "unknown dependency": (
        ("[first]", "[first, frist]"),
        (
            11,
            "steps[1].dependencies[1]",
            '"frist"',
            "unknown step 'frist'",
            "did you mean 'first'?",
        ),
    ),
    "cycle": (
        ("callable: handlers.shop.First", "callable: h.F\n    dependencies: [second]"),
        (
            8,
            "steps[0].dependencies",
            '"first → second → first"',
            "a cycle: first → second → first",
            "remove one",
        ),
    ),
    "step that waits for itself": (
        ("[first]", "[first, second]"),
        (11, "steps[1].dependencies", '"second → second"', "a cycle: second → second", "remove"),
    ),
    "decision without dependency": (
        ("  - name: first\n", "  - name: first\n    type: decision\n"),
        (
            6,
            "steps[0].dependencies",
            "[]",
            "decision step 'first' has no dependency",
            "whose result it decides on",
        ),
    ),
    "enum value": (
        ("  - name: first\n", "  - name: first\n    type: descision\n"),
        (6, "steps[0].type", '"descision"', "not allowed", "'decision'? (one of standard, "),
    ),
    "both spellings of a key": (
        ("    dependencies: [first]", "    dependencies: [first]\n    depends_on: [first]"),
        (12, "steps[1].depends_on", '["first"]', "mean the same", "keep one"),
    ),
    "duplicate YAML key": (
        ("version: 1.0.0", "version: 1.0.0\nname: other"),
        (3, "name", '"name"', "duplicate key 'name', first on line 1", "keep one"),
    ),
    "unknown worker template": (
        (
            "    dependencies: [first]",
            "    dependencies: [first]\n    batch_config: {worker_template: secnd}",
        ),
        (12, "steps[1].batch_config.worker_template", '"secnd"', "unknown step", "'second'?"),
    ),
    "NaN": (
        ("handlers.shop.First", "h.F\n      initialization: {rate: .nan}"),
        (8, "steps[0].handler.initialization.rate", '".nan"', "that JSON can carry", "finite"),
    ),
    "infinity from a large number": (
        ("handlers.shop.First", "h.F\n      initialization: {rate: 1.0e+999}"),
        (8, "steps[0].handler.initialization.rate", '"1.0e+999"', "that JSON can carry", "finite"),
    ),
    "YAML tag of another language": (
        ("name: orders", "name: !!python/name:os.system orders"),
        (1, "name", '"orders"', "python/name:os.system' is not allowed", "write a plain value"),
    ),
    "NUL character": (
        ("name: orders", 'name: orders\ndescription: "a\\0b"'),
        (2, "description", '"a\\u0000b"', "a NUL character", "remove it"),
    ),
    "merge of what is no mapping": (
        ("name: orders", "name: orders\nmetadata: {<<: [1]}"),
        (2, "metadata.<<", "[1]", "merges mappings only", "name a mapping"),
    ),
    "key that is no scalar": (
        ("name: orders", "name: orders\nmetadata: {[a]: 1}"),
        (2, "metadata", "null", "a key is not a scalar", "plain text key"),
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_mistake_is_reported_with_its_place_value_and_cure(case):
    (old, new), (line, place, value, message, cure) = case
    assert VALID.count(old) == 1
    found = problems_of(VALID.replace(old, new))
    matching = [problem for problem in found if problem.place == place]
    assert matching, [str(problem) for problem in found]
    problem = matching[0]
    assert (problem.file, problem.line, problem.value) == ("orders.yaml", line, value)
    assert message in problem.message
    assert cure in problem.cure
    assert str(problem).startswith(f"orders.yaml:{line}: {place}: ")
    assert "\n" not in str(problem)


@pytest.mark.parametrize(
    ("retry", "place", "value", "cure"),
    [
        ("max_attempts: 0", "max_attempts", "0", "a whole number from 1 to 100"),
        ("max_attempts: 101", "max_attempts", "101", "a whole number from 1 to 100"),
        ("max_attempts: 2.0", "max_attempts", "2.0", "a whole number from 1 to 100"),
        ("max_attempts: true", "max_attempts", "true", "a whole number from 1 to 100"),
        ("retryable: maybe", "retryable", '"maybe"', "true or false"),
        ("backoff: linar", "backoff", '"linar"', "did you mean 'linear'?"),
        ("backoff: 3", "backoff", "3", "one of exponential, linear, fibonacci, none"),
        ("backoff_base_ms: -1", "backoff_base_ms", "-1", "from 0 to 2147483647"),
    ],
)
def test_retry_is_checked_key_by_key(retry, place, value, cure):
    problem = only_problem(f"{VALID}    retry: {{{retry}}}\n")
    assert (problem.line, problem.place, problem.value) == (12, f"steps[1].retry.{place}", value)
    assert cure in problem.cure


@pytest.mark.parametrize("value", ["0", "-1", '"30"', "true", "[]"])
def test_a_time_limit_is_a_number_above_0(value):
    problem = only_problem(f"{VALID}    timeout_seconds: {value}\n")
    assert problem.place == "steps[1].timeout_seconds"
    assert problem.cure == "write a number above 0"


@pytest.mark.parametrize("bound", [1, 100])
def test_the_bounds_of_max_attempts_are_allowed(bound):
    assert problems_of(f"{VALID}    retry: {{max_attempts: {bound}}}\n") == []


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        ("{type: objekt}", '"objekt"'),
        ('{pattern: "("}', "regex"),
        ('{$ref: "http://127.0.0.1:9/schema"}', "never done"),
        ('{$ref: "file:///etc/passwd"}', "never done"),
        ('{$ref: "#/$defs/none"}', "does not exist"),
        ("{required: name}", "array"),
    ],
)
def test_what_is_no_json_schema_is_reported(schema, reason):
    problem = only_problem(f"{HEAD}input_schema: {schema}\n{STEPS}")
    assert (problem.line, problem.place) == (4, "input_schema")
    assert "not a valid JSON Schema" in problem.message
    assert reason in problem.message


def test_a_schema_may_use_lists_and_references_within_itself():
    schema = """\
input_schema:
  type: object
  required: [n]
  properties:
    n: {$ref: "#/$defs/even"}
  $defs:
    even: {type: [integer, "null"], multipleOf: 2, enum: [2, 4]}
"""
    assert problems_of(HEAD + schema + STEPS) == []


def test_a_template_has_at_least_one_step():
    problem = only_problem(f"{HEAD}steps: []\n")
    assert (problem.line, problem.place, problem.value) == (4, "steps", "0")
    assert problem.cure == "write at least 1"


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("", None, "the file is empty"),
        ("# nothing\n", None, "the file is empty"),
        ("- a\n", None, "not a mapping"),
        ("name: [a\nversion: 1\n", 2, "malformed YAML"),
        ("name: a\n\tversion: 1\n", 2, "malformed YAML"),
        ("name: a\nb: \x01\n", 2, "malformed YAML"),
        (f"{VALID}---\n{VALID}", 12, "another document"),
        ("a: *nowhere\n", 1, "undefined alias"),
        ("a: " + "[" * 100_000, 1, "nested deeper than 100"),
        ("a: " + "[" * 100 + "]" * 100, 1, "nested deeper than 100"),
        ("- " * 100_000, 1, "nested deeper than 100"),
    ],
)
def test_a_file_that_cannot_be_read_as_a_mapping(text, line, message):
    problem = only_problem(text)
    assert (problem.file, problem.line, problem.place) == ("orders.yaml", line, "")
    assert message in problem.message


def test_an_alias_that_leads_back_to_itself_is_reported():
    problem = only_problem(f"{VALID}metadata: &m {{inner: *m}}\n")
    assert (problem.line, problem.place) == (12, "metadata.inner")
    assert "leads back to itself" in problem.message


def test_a_few_lines_of_aliases_cannot_stand_for_billions_of_values():
    bomb = "  a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    for level in range(1, 40):
        bomb += f"  a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]\n"
    problem = only_problem(f"{VALID}metadata:\n{bomb}")
    assert "aliases stand for more than 5000000 values" in problem.message


def test_all_problems_of_a_file_are_reported_at_once_in_the_order_of_their_lines():
    text = VALID.replace("1.0.0", "one").replace("[first]", "[frist]").replace("Second", "Sec ond")
    problems = problems_of(text)
    assert [(p.line, p.place) for p in problems] == [
        (2, "version"),
        (10, "steps[1].handler.callable"),
        (11, "steps[1].dependencies[0]"),
    ]


def test_every_separate_cycle_is_shown():
    step = "  - {{name: {0}, handler: {{callable: h.X}}, dependencies: [{1}]}}\n"
    edges = [("a", "b"), ("b", "a"), ("c", "d"), ("d", "e"), ("e", "c"), ("f", "e")]
    text = f"{HEAD}steps:\n" + "".join(step.format(*edge) for edge in edges)
    assert [p.message for p in problems_of(text)] == [
        "a cycle: a → b → a",
        "a cycle: c → d → e → c",
    ]


def test_an_override_that_names_no_step_is_reported_whatever_environment_runs():
    text = f"{VALID}environments:\n  production:\n    steps: [{{name: secnod}}]\n"
    problem = only_problem(text)
    assert (problem.line, problem.place) == (14, "environments.production.steps[0].name")
    assert (problem.value, problem.cure) == ('"secnod"', "did you mean 'second'?")


def test_an_override_may_not_change_what_a_step_is():
    text = f"{VALID}environments:\n  test:\n    steps: [{{name: ALL, dependencies: []}}]\n"
    problem = only_problem(text)
    assert problem.message == "unknown key 'dependencies'"


def test_thousands_of_unknown_names_are_all_reported():
    step = "  - {{name: step_{0}, handler: {{callable: h.X}}, dependencies: [setp_{0}]}}\n"
    text = f"{HEAD}steps:\n" + "".join(step.format(index) for index in range(1000))
    problems = problems_of(text)
    assert len(problems) == 1000
    assert problems[0].cure == "did you mean 'step_0'?"
    assert problems[-1].cure == "name one of the 1000 that are there"


def test_a_template_with_problems_is_not_built():
    assert parse_template(VALID.replace("1.0.0", "1"), "test").template is None
    assert parse_template(VALID, "test").template is not None
