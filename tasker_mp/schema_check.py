"""JSON Schemas of a template's step: compiled once, and what breaks them in words."""

from typing import Any

import msgspec
from msgspec import Raw

from tasker_mp.errors import TemplateError
from tasker_mp.template.json_schema import compile_schema

_VALUE_CHARS = 200
_REASON_CHARS = 1000


class SchemaCheck:
    """A schema, whose fault is told with the first value that is checked against it."""

    def __init__(self, schema: dict[str, Any] | bool) -> None:
        self._fault: str | None = None
        try:
            self._validator = compile_schema(schema)
        except TemplateError as error:
            self._fault = f"cannot be checked, its schema is broken: {error}"

    def breach(self, encoded: Raw, root: str) -> str | None:
        """Where (from `root`), with what value, and why it does not fit; None where it does."""
        if self._fault is not None:
            return f"{root} {self._fault}"
        value = msgspec.json.decode(encoded)
        if self._validator.is_valid(value):
            return None
        error = next(self._validator.iter_errors(value))
        place = "".join(f"[{part!r}]" for part in error.instance_path)
        found = _shortened(msgspec.json.encode(error.instance).decode(), _VALUE_CHARS)
        return f"{root}{place} is {found}: {_shortened(error.message, _REASON_CHARS)}"


def _shortened(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
