"""Checks a file's values against the table of keys, and reports every one that does not fit."""

import math
from typing import Any, Final, assert_never

import msgspec

from tasker_mp.errors import TemplateError
from tasker_mp.template.document import Listing, Table, joined
from tasker_mp.template.fields import (
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
from tasker_mp.template.json_schema import compile_schema
from tasker_mp.template.problem import Report, shown

INVALID: Final = object()
"""Stands for a value that was reported, so that nothing is reported twice."""


def check(kind: Kind, value: Any, place: str, line: int, report: Report) -> Any:
    """The value with its keys' aliases resolved and what is wrong left out, or `INVALID`."""
    match kind:
        case Section():
            return _section(kind, value, place, line, report)
        case ListOf():
            return _listing(kind, value, place, line, report)
        case MapOf():
            return _map(kind, value, place, line, report)
        case Schema():
            return _schema(value, place, line, report)
        case _:
            wanted = _wanted(kind, value)
    if wanted is None:
        return value
    cure = f"write {wanted}"
    if isinstance(kind, Choice) and isinstance(value, str):
        cure = f"{report.suggest(value, list(kind.values))} ({wanted})"
    return _refuse(value, place, line, report, cure)


def _wanted(kind: Leaf, value: Any) -> str | None:
    """None where the value fits, else what would."""
    match kind:
        case Text():
            return _text(kind, value)
        case Choice():
            return None if value in kind.values else f"one of {', '.join(kind.values)}"
        case Whole():
            return _whole(kind, value)
        case Positive():
            fits = _is_number(value) and 0 < value < math.inf
            return None if fits else "a number above 0"
        case Flag():
            return None if isinstance(value, bool) else "true or false"
        case Free():
            return None if isinstance(value, Table) else "a mapping"
        case _:
            assert_never(kind)


def _refuse(value: Any, place: str, line: int, report: Report, cure: str) -> Any:
    report.add(place, line, value, f"{shown(value)} is not allowed", cure)
    return INVALID


def _text(kind: Text, value: Any) -> str | None:
    if not isinstance(value, str):
        return f"{kind.form}, in quotes" if _is_number(value) else kind.form
    if kind.longest is not None and not 1 <= len(value) <= kind.longest:
        return f"1 to {kind.longest} characters, not {len(value)}"
    if kind.pattern is not None and not kind.pattern.fullmatch(value):
        return kind.form
    return None


def _whole(kind: Whole, value: Any) -> str | None:
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    if is_whole and kind.lowest <= value and (kind.highest is None or value <= kind.highest):
        return None
    if kind.highest is None:
        return f"a whole number of at least {kind.lowest}"
    return f"a whole number from {kind.lowest} to {kind.highest}"


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _schema(value: Any, place: str, line: int, report: Report) -> Any:
    if not isinstance(value, (Table, bool)):
        return _refuse(value, place, line, report, "write a JSON Schema: a mapping")
    try:
        # The validator takes plain lists only.
        compile_schema(msgspec.json.decode(msgspec.json.encode(value)))
    except (TemplateError, msgspec.MsgspecError, ValueError) as error:
        report.add(place, line, value, f"not a valid JSON Schema: {error}", "correct the schema")
        return INVALID
    return value


def _listing(kind: ListOf, value: Any, place: str, line: int, report: Report) -> Any:
    if not isinstance(value, Listing):
        return _refuse(value, place, line, report, "write a list")
    count = len(value)
    if count < kind.shortest or (kind.longest is not None and count > kind.longest):
        reason = f"at least {kind.shortest}" if count < kind.shortest else f"at most {kind.longest}"
        report.add(place, line, count, f"it has {count} items", f"write {reason}")
    checked = Listing(value.line)
    for index, (item, item_line) in enumerate(zip(value, value.lines, strict=True)):
        # What is invalid keeps its position, so that places counted later stay right.
        checked.put(check(kind.item, item, f"{place}[{index}]", item_line, report), item_line)
    return checked


def _map(kind: MapOf, value: Any, place: str, line: int, report: Report) -> Any:
    if not isinstance(value, Table):
        return _refuse(value, place, line, report, "write a mapping")
    checked = Table(value.line)
    for key, item in value.items():
        if item is not None:
            key_line = value.lines[key]
            checked.put(key, check(kind.item, item, joined(place, key), key_line, report), key_line)
    return checked


def _section(kind: Section, value: Any, place: str, line: int, report: Report) -> Any:
    if not isinstance(value, Table):
        keys = ", ".join(kind.keys)
        return _refuse(value, place, line, report, f"write a mapping with keys of: {keys}")
    checked = Table(value.line)
    canonical = _canonical_keys(kind)
    for key, item in value.items():
        name = canonical.get(key)
        key_line = value.lines[key]
        if name is None:
            _unknown(key, list(canonical), place, key_line, report)
        elif item is None or kind.keys[name].ignored:
            continue  # an empty value is an absent one
        elif name in checked:
            message = f"'{key}' and '{_other(kind.keys[name], name, key)}' mean the same"
            report.add(joined(place, key), key_line, item, message, "keep one of them")
        else:
            result = check(kind.keys[name].kind, item, joined(place, key), key_line, report)
            checked.put(name, result, key_line)
    for name, wanted in kind.keys.items():
        if wanted.required and name not in checked:
            message, cure = f"'{name}' is missing", f"add {name}:"
            report.add(joined(place, name), value.line, None, message, cure)
    return checked


def _canonical_keys(kind: Section) -> dict[str, str]:
    names = {name: name for name in kind.keys}
    return names | {key.alias: name for name, key in kind.keys.items() if key.alias}


def _other(key: Key, name: str, written: str) -> str:
    return name if written != name else str(key.alias)


def _unknown(key: str, known: list[str], place: str, line: int, report: Report) -> None:
    cure = report.suggest(key, known)
    report.add(joined(place, key), line, key, f"unknown key '{key}'", cure)
