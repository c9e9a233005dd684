"""What must hold between the parts of one template: unique names, known dependencies, no cycle."""

from collections.abc import Iterator
from typing import Any

from tasker_mp.template.check import INVALID
from tasker_mp.template.dag import find_cycles
from tasker_mp.template.document import Listing, Table, joined
from tasker_mp.template.environments import ALL_STEPS
from tasker_mp.template.problem import Report


def check_rules(template: Table, report: Report) -> None:
    """Reports every rule that the checked template breaks; what was invalid before is passed by."""
    steps = list(_tables(template.get("steps"), "steps"))
    names = _step_names(steps, report)
    _dependencies_exist(steps, names, report)
    _no_cycle(steps, report)
    _decisions_depend(steps, report)
    _worker_templates_exist(steps, names, report)
    _overrides_name_steps(template, names, report)


def _tables(listing: Any, place: str) -> Iterator[tuple[str, Table]]:
    if isinstance(listing, Listing):
        for index, item in enumerate(listing):
            if isinstance(item, Table):
                yield f"{place}[{index}]", item


def _text(table: Table, key: str) -> str | None:
    value = table.get(key)
    return value if isinstance(value, str) else None


def _dependencies(place: str, step: Table) -> Iterator[tuple[str, int, str]]:
    listing = step.get("dependencies")
    if isinstance(listing, Listing):
        for index, (name, line) in enumerate(zip(listing, listing.lines, strict=True)):
            if name is not INVALID:
                yield f"{place}.dependencies[{index}]", line, name


def _step_names(steps: list[tuple[str, Table]], report: Report) -> dict[str, int]:
    """Each name and its line; a step named again is reported."""
    lines: dict[str, int] = {}
    for place, step in steps:
        name = _text(step, "name")
        if name is None:
            continue
        line = step.lines["name"]
        if name in lines:
            message = f"duplicate step '{name}', first on line {lines[name]}"
            report.add(joined(place, "name"), line, name, message, "give each step its own name")
        lines.setdefault(name, line)
    return lines


def _dependencies_exist(
    steps: list[tuple[str, Table]], names: dict[str, int], report: Report
) -> None:
    for place, step in steps:
        for where, line, name in _dependencies(place, step):
            if name not in names:
                cure = report.suggest(name, list(names))
                report.add(where, line, name, f"unknown step '{name}'", cure)


def _no_cycle(steps: list[tuple[str, Table]], report: Report) -> None:
    dependencies: dict[str, list[str]] = {}
    at: dict[str, tuple[str, Table]] = {}
    for place, step in steps:
        name = _text(step, "name")
        if name is not None and name not in at:
            at[name] = (place, step)
            dependencies[name] = [parent for _, _, parent in _dependencies(place, step)]
    for cycle in find_cycles(dependencies):
        place, step = at[cycle[0]]
        path = " → ".join(cycle)
        cure = "remove one of these dependencies (each step waits for the next)"
        line = step.lines["dependencies"]
        report.add(joined(place, "dependencies"), line, path, f"a cycle: {path}", cure)


def _decisions_depend(steps: list[tuple[str, Table]], report: Report) -> None:
    for place, step in steps:
        if step.get("type") == "decision" and not step.get("dependencies"):
            message = f"decision step '{step.get('name')}' has no dependency"
            line = step.lines["type"]
            cure = "add the step whose result it decides on to its dependencies"
            report.add(joined(place, "dependencies"), line, [], message, cure)


def _worker_templates_exist(
    steps: list[tuple[str, Table]], names: dict[str, int], report: Report
) -> None:
    for place, step in steps:
        config = step.get("batch_config")
        if not isinstance(config, Table):
            continue
        worker = _text(config, "worker_template")
        if worker is not None and worker not in names:
            where = joined(place, "batch_config.worker_template")
            cure = report.suggest(worker, list(names))
            line = config.lines["worker_template"]
            report.add(where, line, worker, f"unknown step '{worker}'", cure)


def _overrides_name_steps(template: Table, names: dict[str, int], report: Report) -> None:
    environments = template.get("environments")
    if not isinstance(environments, Table):
        return
    for environment, block in environments.items():
        steps = block.get("steps") if isinstance(block, Table) else None
        for place, override in _tables(steps, f"environments.{environment}.steps"):
            name = _text(override, "name")
            if name is not None and name != ALL_STEPS and name not in names:
                cure = report.suggest(name, [*names, ALL_STEPS])
                line = override.lines["name"]
                report.add(joined(place, "name"), line, name, f"unknown step '{name}'", cure)
