"""Template files for the tests: one that is right, and ways to change it."""

from pathlib import Path

from tasker_mp.template.parse import load_templates, parse_template
from tasker_mp.template.problem import DeprecationNotice, Problem
from tasker_mp.template.template_set import TemplateSet

HEAD = """\
name: orders
version: 1.0.0
namespace_name: shop
"""

STEPS = """\
steps:
  - name: first
    handler:
      callable: handlers.shop.First
  - name: second
    handler:
      callable: handlers.shop.Second
    dependencies: [first]
"""

VALID = HEAD + STEPS


def problems_of(text: str) -> list[Problem]:
    return parse_template(text, "test", "orders.yaml").report.problems


def only_problem(text: str) -> Problem:
    problems = problems_of(text)
    assert len(problems) == 1, [str(problem) for problem in problems]
    return problems[0]


def notices_of(text: str) -> list[DeprecationNotice]:
    source = parse_template(text, "test", "orders.yaml")
    assert source.report.problems == []
    return source.report.warnings


def load(folder: Path, *texts: str) -> TemplateSet:
    """The set of files t0.yaml, t1.yaml … with these texts."""
    for index, text in enumerate(texts):
        (folder / f"t{index}.yaml").write_text(text)
    return load_templates(folder, "test")
