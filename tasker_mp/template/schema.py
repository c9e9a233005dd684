"""The JSON Schema of a template file, drawn from the same table that checks one."""

from typing import Any, assert_never

from tasker_mp.template.fields import (
    TEMPLATE,
    Choice,
    Flag,
    Free,
    Key,
    Kind,
    Leaf,
    ListOf,
    MapOf,
    Positive,
    Schema,
    Section,
    Text,
    Whole,
)

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def template_schema() -> dict[str, Any]:
    """What editors check a template file against; cross-references between steps it cannot say."""
    return {"$schema": _DIALECT, "title": "tasker-mp task template", **_kind(TEMPLATE)}


def _kind(kind: Kind) -> dict[str, Any]:
    match kind:
        case Section():
            return _section(kind)
        case ListOf():
            schema: dict[str, Any] = {"type": "array", "items": _kind(kind.item)}
            if kind.shortest:
                schema["minItems"] = kind.shortest
            if kind.longest is not None:
                schema["maxItems"] = kind.longest
            return schema
        case MapOf():
            return {"type": "object", "additionalProperties": _kind(kind.item)}
        case Schema():
            return {"type": ["object", "boolean"]}
        case _:
            return _leaf(kind)


def _leaf(kind: Leaf) -> dict[str, Any]:
    match kind:
        case Text():
            return _text(kind)
        case Choice():
            return {"type": "string", "enum": list(kind.values)}
        case Whole():
            highest = {} if kind.highest is None else {"maximum": kind.highest}
            return {"type": "integer", "minimum": kind.lowest, **highest}
        case Positive():
            return {"type": "number", "exclusiveMinimum": 0}
        case Flag():
            return {"type": "boolean"}
        case Free():
            return {"type": "object"}
        case _:
            assert_never(kind)


def _text(kind: Text) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    if kind.longest is not None:
        schema |= {"minLength": 1, "maxLength": kind.longest}
    if kind.pattern is not None:
        schema["pattern"] = f"^(?:{kind.pattern.pattern})$"
    return schema


def _section(section: Section) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    for name, key in section.keys.items():
        properties[name] = _described(key, key.about)
        if key.alias:
            properties[key.alias] = _described(key, f"The same as {name}")
    required = [name for name, key in section.keys.items() if key.required]
    schema: dict[str, Any] = {"type": "object", "properties": properties}
    if required:
        schema["required"] = required
    return schema | {"additionalProperties": False}


def _described(key: Key, about: str) -> dict[str, Any]:
    schema = {} if key.ignored else _kind(key.kind)
    return schema | ({"description": about} if about else {})
