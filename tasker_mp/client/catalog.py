"""The templates that a database knows, ready to submit against."""

from collections.abc import Iterable
from functools import cached_property
from typing import Any

import jsonschema_rs
import msgspec

from tasker_mp.errors import ContextError
from tasker_mp.template.model import Template, canonical_json, digest, from_json
from tasker_mp.template.plan import plan
from tasker_mp.template.template_set import TemplateSet

CATALOG_SECONDS = 10.0
"""A client looks again after this time: somebody may have registered another text or version."""


class RegisteredTemplate:
    """A template with its id in the database."""

    def __init__(self, template_id: int, template: Template) -> None:
        self.template_id = template_id
        self.template = template

    @cached_property
    def _validator(self) -> Any:
        schema = self.template.input_schema
        return None if schema is None else jsonschema_rs.validator_for(schema)

    def check(self, encoded: bytes) -> None:
        """`ContextError` with the place and the value where the context, as the JSON that will be
        stored, breaks `input_schema`."""
        if self._validator is None:
            return
        context = msgspec.json.decode(encoded)
        if self._validator.is_valid(context):
            return
        error = next(self._validator.iter_errors(context))
        place = "".join(f"[{p!r}]" for p in error.instance_path)
        raise ContextError(
            f"context{place} does not fit the input_schema of {self.template.key}: {error.message}"
        )


class Catalog:
    """The latest text of every registered template version."""

    def __init__(self, rows: Iterable[tuple[Any, ...]] = ()) -> None:
        self._by_key: dict[str, RegisteredTemplate] = {}
        self._broken: dict[str, str] = {}
        for template_id, definition in rows:
            template = from_json(definition)
            self._by_key[template.key] = RegisteredTemplate(template_id, template)
        self._index()

    def add(self, template_id: int, template: Template) -> None:
        self._by_key[template.key] = RegisteredTemplate(template_id, template)
        self._index()

    def exclude(self, broken: dict[str, str]) -> None:
        """Refuse what these files define (key → file), though an earlier text may be registered."""
        self._broken = broken
        for key in broken:
            self._by_key.pop(key, None)
        self._index()

    def _index(self) -> None:
        self._templates = TemplateSet(
            [entry.template for entry in self._by_key.values()], broken=self._broken
        )

    def find(self, namespace: str, name: str, version: str | None) -> RegisteredTemplate:
        """The template; `TemplateNotFoundError` with the nearest names where there is none."""
        return self._by_key[self._templates.find(namespace, name, version).key]

    @property
    def templates(self) -> list[Template]:
        return self._templates.templates

    def lacks(self, template: Template) -> bool:
        """Whether this very text is not the registered one."""
        known = self._by_key.get(template.key)
        return known is None or known.template != template


def registration(template: Template) -> dict[str, Any]:
    """The parameters of `register_template.sql`: the definition, and the steps to start with."""
    steps = [
        {
            "step_no": step.step_no,
            "name": step.name,
            "parents": step.parents,
            "children": step.children,
            "ancestors": step.ancestors,
            "implied": step.implied,
        }
        for step in plan(template)
        if step.initial
    ]
    return {
        "namespace": template.namespace_name,
        "name": template.name,
        "version": template.version,
        "digest": digest(template),
        "definition": canonical_json(template).decode(),
        "steps": msgspec.json.encode(steps).decode(),
    }
