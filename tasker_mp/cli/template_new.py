"""`template new`: a template file to fill in, and the handlers that it lacks."""

import re
import sys
from typing import TYPE_CHECKING

from tasker_mp.cli.handler import check_handlers
from tasker_mp.cli.output import say, write_json
from tasker_mp.cli.settings import Settings
from tasker_mp.cli.submit import parse_template_name
from tasker_mp.cli.writing import write_new
from tasker_mp.errors import InvalidInputError

if TYPE_CHECKING:
    from tasker_mp.config import Config
    from tasker_mp.registry import HandlerCheck
    from tasker_mp.template.model import Template

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
"""What can be the name of a file, of a module, and part of a class's."""

_VERSION = "1.0.0"


def new_template(settings: Settings, path: str, steps: str | None) -> None:
    """Write the file and say which handlers are missing; `InvalidInputError` where there is such a
    template or file, or a name will not do."""
    config = settings.config()
    namespace, name, version = parse_template_name(path)
    _require_name("template", name)
    names = _step_names(steps, name)
    key = f"{namespace}/{name}@{version or _VERSION}"
    _refuse_known(config, key)
    file = config.templates_path / f"{name}.yaml"
    package = config.worker.handler_packages[0]
    text = _text(namespace, name, version or _VERSION, names, package)
    template = _checked(text, str(file), config)
    write_new(config.templates_path, {file.name: text})
    checks = check_handlers(config, [template])
    missing = [check for check in checks if check.problem is not None]
    _tell(settings, str(file), template, missing)


def _tell(
    settings: Settings, file: str, template: "Template", missing: "list[HandlerCheck]"
) -> None:
    callables = [check.callable for check in missing]
    if settings.json:
        write_json({"file": file, "template": template.key, "missing": callables})
        return
    sys.stdout.write(f"{file}\n")
    if callables:
        say(f"\n{len(callables)} of its handlers are missing:")
    for callable_ in callables:
        say(f"  tasker-mp handler new {callable_}")


def _step_names(given: str | None, name: str) -> list[str]:
    """A chain of these; one step of the template's own name where none is given."""
    names = [part.strip() for part in given.split(",")] if given is not None else [name]
    for step in names:
        _require_name("step", step)
    twice = [step for step in names if names.count(step) > 1]
    if twice:
        raise InvalidInputError(f"--steps names {twice[0]!r} twice; each step needs its own name")
    return names


def _require_name(kind: str, name: str) -> None:
    if not _NAME.fullmatch(name):
        raise InvalidInputError(
            f"{kind} {name!r} cannot be the name of code; use letters, digits and _, such as refund"
        )


def _refuse_known(config: "Config", key: str) -> None:
    from tasker_mp.template.parse import load_templates  # noqa: PLC0415

    found = load_templates(config.templates_path, config.environment)
    if key in found.broken or key in {template.key for template in found.templates}:
        raise InvalidInputError(
            f"there is a template {key} already; give this one another name, or a higher version "
            "as NAMESPACE/NAME@VERSION, in a file of its own"
        )


def _text(namespace: str, name: str, version: str, steps: list[str], package: str) -> str:
    lines = [
        f"name: {name}",
        f"namespace_name: {namespace}",
        f"version: {version}",
        "",
        "# What a task's context must look like: JSON Schema.",
        "input_schema:",
        "  type: object",
        "",
        "steps:",
    ]
    for before, step in zip([None, *steps], steps, strict=False):
        lines += [f"  - name: {step}"]
        lines += [f"    dependencies: [{before}]"] if before else []
        lines += [f"    handler: {{callable: {package}.{name}.{_class_name(step)}}}", ""]
    return "\n".join(lines)


def _class_name(step: str) -> str:
    """`issue_refund` → `IssueRefund`."""
    return "".join(part[:1].upper() + part[1:] for part in step.split("_"))


def _checked(text: str, file: str, config: "Config") -> "Template":
    """The template, as the loader has it; `InvalidInputError` for what it does not accept."""
    from tasker_mp.template.parse import parse_template  # noqa: PLC0415

    source = parse_template(text, config.environment, file)
    if source.template is None:
        raise InvalidInputError("; ".join(map(str, source.report.problems)))
    return source.template
