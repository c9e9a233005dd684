"""The templates of a project: found by name, and compared with each other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from tasker_mp.errors import TemplateNotFoundError
from tasker_mp.nearest import nearest
from tasker_mp.template.model import Template
from tasker_mp.template.problem import DeprecationNotice, Problem, Report, shown


class Source(NamedTuple):
    """One file: what it defines or why it defines nothing, the template's key that it claims, and
    the lines of its own keys."""

    report: Report
    template: Template | None
    claimed_key: str | None
    lines: Mapping[str, int] = MappingProxyType({})


class TemplateSet:
    """`templates` in the order of their files, without those that have problems."""

    def __init__(
        self,
        templates: Iterable[Template] = (),
        problems: Iterable[Problem] = (),
        warnings: Iterable[DeprecationNotice] = (),
        broken: dict[str, str] | None = None,
    ) -> None:
        self.templates = list(templates)
        self.problems = list(problems)
        self.warnings = list(warnings)
        self.broken = broken or {}
        """Key that a file with problems claims → the file."""

    @classmethod
    def of(cls, sources: list[Source]) -> TemplateSet:
        """The set of what the files define, once their keys and namespaces were compared."""
        _refuse_duplicate_keys(sources)
        _refuse_namespaces_alike(sources)
        good = [s.template for s in sources if s.template and not s.report.problems]
        return cls(
            good,
            [problem for source in sources for problem in source.report.problems],
            [warning for source in sources for warning in source.report.warnings],
            {s.claimed_key: s.report.file for s in sources if s.claimed_key and s.report.problems},
        )

    @property
    def namespaces(self) -> list[str]:
        """Sorted, each once."""
        return sorted({template.namespace_name for template in self.templates})

    def find(self, namespace: str, name: str, version: str | None = None) -> Template:
        """The template, of the highest version where none is given; `TemplateNotFoundError` with
        the nearest names."""
        path = f"{namespace}/{name}"
        found = [template for template in self.templates if template.path == path]
        if version is not None:
            found = [template for template in found if template.version == version]
        if not found:
            raise TemplateNotFoundError(self._not_found(path, version))
        return max(found, key=lambda template: template.precedence)

    def _not_found(self, path: str, version: str | None) -> str:
        wanted = path if version is None else f"{path}@{version}"
        for key, file in self.broken.items():
            if wanted in (key, key.rpartition("@")[0]):
                return f"template {key} has problems; see: tasker-mp template validate {file}"
        known = sorted(
            (template for template in self.templates if template.path == path),
            key=lambda template: template.precedence,
        )
        if known:
            versions = ", ".join(template.version for template in known)
            return f"no version {version} of template {path}; there is {versions}"
        return f"no template {wanted}; {self._nearest(path)}"

    def _nearest(self, path: str) -> str:
        paths = sorted({template.path for template in self.templates})
        close = nearest(path, paths, count=3)
        if close:
            return f"did you mean {' or '.join(close)}?"
        return f"known: {', '.join(paths[:10])}" if paths else "no template is loaded"


def _refuse_duplicate_keys(sources: list[Source]) -> None:
    first: dict[str, str] = {}
    for report, _, key, lines in sources:
        if key is None:
            continue
        if key in first:
            message = f"template {key} is also defined in {first[key]}"
            report.add(
                "name", lines["name"], key, message, "remove one, or give it another version"
            )
        first.setdefault(key, report.file)


def _refuse_namespaces_alike(sources: list[Source]) -> None:
    """PGMQ's queue names are case-insensitive, so such namespaces would share their queues."""
    first: dict[str, tuple[str, str]] = {}
    for report, _, key, lines in sources:
        if key is None:
            continue
        namespace = key.partition("/")[0]
        other, file = first.setdefault(namespace.lower(), (namespace, report.file))
        if other != namespace:
            message = f"namespace {shown(namespace)} differs from {shown(other)} only in case"
            cure = f"write it as in {file}: they would share a queue"
            report.add("namespace_name", lines["namespace_name"], namespace, message, cure)
