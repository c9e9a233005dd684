"""The older forms of a template, Ruby symbols and former keys, turned into today's."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tasker_mp.template.document import Listing, Table, joined
from tasker_mp.template.problem import Report

_SYMBOL = re.compile(r":[A-Za-z_]\w*[?!]?")


def modernize(template: Table, report: Report) -> Table:
    """The template in today's spelling; one notice for the symbols, one for each older key."""
    template = _without_symbols(template, report)
    template = _moved(template, _TEMPLATE_MOVES, "", report)
    _replace_steps(template, "", report)
    _replace_nested(template, "task_handler", _HANDLER_MOVES, "", report)
    environments = template.get("environments")
    if isinstance(environments, Table):
        template["environments"] = _modern_environments(environments, report)
    return template


# -- Former keys ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Move:
    """Where an older key's value goes (nowhere: it is dropped), and how it is converted."""

    target: tuple[str, ...]
    convert: Callable[[Any, int], Any] = lambda value, _: value


def _as_listing(value: Any, line: int) -> Any:
    if isinstance(value, Listing):
        return value
    listing = Listing(line)
    listing.put(value, line)
    return listing


def _as_milliseconds(value: Any, _: int) -> Any:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return round(value * 1000) if is_number else value


def _as_attempts(value: Any, _: int) -> Any:
    """A limit of 0 meant no retry; the first attempt is made all the same."""
    return 1 if value == 0 and not isinstance(value, bool) else value


_Moves = Mapping[str, _Move]

_TEMPLATE_MOVES: Final[_Moves] = {
    "step_templates": _Move(("steps",)),
    "named_steps": _Move(()),
    "handler_class": _Move(("task_handler", "callable")),
    "handler_config": _Move(("task_handler", "initialization")),
}
_STEP_MOVES: Final[_Moves] = {
    "handler_class": _Move(("handler", "callable")),
    "handler_config": _Move(("handler", "initialization")),
    "depends_on_step": _Move(("dependencies",), _as_listing),
    "depends_on_steps": _Move(("dependencies",), _as_listing),
    "default_retryable": _Move(("retry", "retryable")),
    "default_retry_limit": _Move(("retry", "max_attempts"), _as_attempts),
}
_HANDLER_MOVES: Final[_Moves] = {
    "handler_class": _Move(("callable",)),
    "handler_config": _Move(("initialization",)),
}
_RETRY_MOVES: Final[_Moves] = {
    "limit": _Move(("max_attempts",), _as_attempts),
    "initial_delay": _Move(("backoff_base_ms",), _as_milliseconds),
    "max_delay": _Move(("max_backoff_ms",), _as_milliseconds),
}


def _moved(table: Table, moves: _Moves, place: str, report: Report) -> Table:
    """A copy of the table with the older keys' values where they belong today."""
    old = [key for key in table if key in moves]
    if not old:
        return table.copy()
    result = Table(table.line)
    for key, value in table.items():
        if key not in moves:
            result.put(key, value, table.lines[key])
    for key in old:
        move, line = moves[key], table.lines[key]
        new = ".".join(move.target) or "nothing: the steps name themselves"
        report.deprecated(joined(place, key), line, key, new)
        if move.target and table[key] is not None:
            value = move.convert(table[key], line)
            _put(result, move.target, value, line, (joined(place, key), report))
    return result


def _put(
    table: Table, target: tuple[str, ...], value: Any, line: int, source: tuple[str, Report]
) -> None:
    place, report = source
    key, *rest = target
    present = table.get(key)
    if rest:
        inner = present.copy() if isinstance(present, Table) else Table(line)
        table.put(key, inner, table.lines.get(key, line))
        _put(inner, tuple(rest), value, line, source)
    elif present is None:
        table.put(key, value, line)
    elif isinstance(present, Listing) and isinstance(value, Listing):
        table.put(key, _joined_listing(present, value), table.lines[key])
    else:
        message = f"it means the same as '{key}', which is there too"
        report.add(place, line, value, message, "keep one of them")


def _joined_listing(first: Listing, second: Listing) -> Listing:
    listing = Listing(first.line)
    for part in (first, second):
        for item, line in zip(part, part.lines, strict=True):
            if item not in listing:
                listing.put(item, line)
    return listing


def _replace_nested(table: Table, key: str, moves: _Moves, place: str, report: Report) -> None:
    if isinstance(table.get(key), Table):
        table[key] = _moved(table[key], moves, joined(place, key), report)


def _replace_steps(table: Table, place: str, report: Report) -> None:
    steps = table.get("steps")
    if not isinstance(steps, Listing):
        return
    modern = Listing(steps.line)
    for index, (step, line) in enumerate(zip(steps, steps.lines, strict=True)):
        where = f"{joined(place, 'steps')}[{index}]"
        modern.put(_modern_step(step, where, report), line)
    table["steps"] = modern


def _modern_step(step: Any, place: str, report: Report) -> Any:
    if not isinstance(step, Table):
        return step
    step = _moved(step, _STEP_MOVES, place, report)
    _replace_nested(step, "handler", _HANDLER_MOVES, place, report)
    _replace_nested(step, "retry", _RETRY_MOVES, place, report)
    return step


def _modern_environments(environments: Table, report: Report) -> Table:
    modern = Table(environments.line)
    for name, block in environments.items():
        place = f"environments.{name}"
        if isinstance(block, Table):
            moves = {"step_templates": _TEMPLATE_MOVES["step_templates"]}
            block = _moved(block, moves, place, report)  # noqa: PLW2901
            _replace_steps(block, place, report)
        modern.put(name, block, environments.lines[name])
    return modern


# -- Ruby symbols ---------------------------------------------------------------------------------


def _without_symbols(template: Table, report: Report) -> Table:
    first = _first_symbol(template)
    if first is None:
        return template
    key, line = first
    report.deprecated(key, line, "the Ruby-symbol form", f"plain keys, such as {key[1:]}")
    plain = _plain(template, "", report)
    assert isinstance(plain, Table)
    return plain


def _first_symbol(template: Table) -> tuple[str, int] | None:
    """A symbol among the template's or a step's keys; elsewhere keys may be the author's own."""
    steps = next((template[key] for key in ("steps", "step_templates") if key in template), None)
    rows = steps if isinstance(steps, Listing) else []
    for table in [template, *rows]:
        if isinstance(table, Table):
            for key in table:
                if _SYMBOL.fullmatch(key):
                    return key, table.lines[key]
    return None


def _plain(value: Any, place: str, report: Report) -> Any:
    if isinstance(value, Listing):
        listing = Listing(value.line)
        for index, (item, line) in enumerate(zip(value, value.lines, strict=True)):
            listing.put(_plain(item, f"{place}[{index}]", report), line)
        return listing
    if isinstance(value, Table):
        return _plain_table(value, place, report)
    if isinstance(value, str) and _SYMBOL.fullmatch(value):
        return value[1:]
    return value


def _plain_table(table: Table, place: str, report: Report) -> Table:
    result = Table(table.line)
    for key, value in table.items():
        name = key[1:] if _SYMBOL.fullmatch(key) else key
        line = table.lines[key]
        if name in result:
            message = f"duplicate key '{name}', first on line {result.lines[name]}"
            report.add(joined(place, name), line, key, message, "keep one of them")
        else:
            result.put(name, _plain(value, joined(place, name), report), line)
    return result
