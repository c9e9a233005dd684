"""Template files read, checked and resolved for the running environment."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from tasker_mp.template.check import check
from tasker_mp.template.document import Table, read_document
from tasker_mp.template.environments import resolved
from tasker_mp.template.fields import TEMPLATE
from tasker_mp.template.legacy import modernize
from tasker_mp.template.model import Template
from tasker_mp.template.problem import Report
from tasker_mp.template.rules import check_rules
from tasker_mp.template.template_set import Source, TemplateSet

_SUFFIXES = {".yaml", ".yml"}


def load_templates(paths: Path | Iterable[Path], environment: str) -> TemplateSet:
    """Every template of the files and folders given, searched to any depth.

    Never raises for what is in a file: all problems of all files are in the set's `problems`, and
    the templates of files without any are in its `templates`.
    """
    sources = []
    for path in [paths] if isinstance(paths, Path) else paths:
        sources += [_read_file(file, environment) for file in _files(path)]
        if not path.exists():
            sources.append(_missing(path))
    return TemplateSet.of(sources)


def parse_template(text: str, environment: str, file: str = "<text>") -> Source:
    """One template from YAML text; `file` is what its problems name."""
    report = Report(file)
    document = read_document(text, report)
    if document is None:
        return Source(report, None, None)
    checked = check(TEMPLATE, modernize(document, report), "", 1, report)
    check_rules(checked, report)
    report.problems.sort(key=lambda problem: problem.line or 0)
    template = None if report.problems else _build(checked, environment, report)
    return Source(report, template, _claimed_key(checked), checked.lines)


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted(file for file in path.rglob("*") if file.suffix in _SUFFIXES)
    return [path] if path.exists() else []


def _missing(path: Path) -> Source:
    report = Report(str(path))
    report.add("", None, str(path), "no such file or folder", "check [templates] path")
    return Source(report, None, None)


def _read_file(file: Path, environment: str) -> Source:
    report = Report(str(file))
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except OSError as error:
        report.add("", None, file.name, f"cannot be read: {error.strerror}", "make it readable")
    except UnicodeDecodeError as error:
        message = f"not UTF-8 at byte {error.start}"
        report.add("", None, error.object[error.start], message, "save the file as UTF-8")
    else:
        return parse_template(text, environment, str(file))
    return Source(report, None, None)


def _claimed_key(checked: Table) -> str | None:
    """What the file means to define, as far as it can be told despite its problems."""
    parts = [checked.get(key) for key in ("namespace_name", "name", "version")]
    if not all(isinstance(part, str) for part in parts):
        return None
    namespace, name, version = parts
    return f"{namespace}/{name}@{version}"


def _build(checked: Table, environment: str, report: Report) -> Template | None:
    values: dict[str, Any] = resolved(checked, environment)
    # Through JSON, so that a template just read equals the same one read back from the database.
    try:
        return msgspec.json.decode(msgspec.json.encode(values), type=Template)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        report.add("", None, None, f"JSON cannot carry it: {error}", "simplify the values")
        return None
