"""A YAML file as plain JSON values that know the lines they came from."""

from __future__ import annotations

import math
from typing import Any, Final

import yaml

from tasker_mp.template.problem import Report

_Loader: Final[type[Any]] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

MAX_DEPTH: Final = 100
"""Nested collections; libyaml's composer recurses in C and would take the process with it."""

MAX_VALUES: Final = 5_000_000
"""Values after aliases are expanded: a few lines of nested aliases can stand for billions."""

_TAG = "tag:yaml.org,2002:"
_MERGE = f"{_TAG}merge"
_TEXT_TAGS = {f"{_TAG}str", f"{_TAG}timestamp"}
_SCALAR_TAGS = {f"{_TAG}{kind}" for kind in ("null", "bool", "int", "float")}


class Table(dict[str, Any]):
    """A mapping with the line it starts on and the line of each key, counted from 1."""

    __slots__ = ("line", "lines")

    def __init__(self, line: int) -> None:
        super().__init__()
        self.line = line
        self.lines: dict[str, int] = {}

    def put(self, key: str, value: object, line: int) -> None:
        self[key] = value
        self.lines[key] = line

    def copy(self) -> Table:
        table = Table(self.line)
        table.update(self)
        table.lines.update(self.lines)
        return table


class Listing(list[Any]):
    """A sequence with the line it starts on and the line of each item, counted from 1."""

    __slots__ = ("line", "lines")

    def __init__(self, line: int) -> None:
        super().__init__()
        self.line = line
        self.lines: list[int] = []

    def put(self, value: object, line: int) -> None:
        self.append(value)
        self.lines.append(line)


def read_document(text: str, report: Report) -> Table | None:
    """The file's mapping, or None where it holds none; what is wrong goes to the report."""
    try:
        node = _compose(text)
    except yaml.YAMLError as error:
        _report_syntax(error, text, report)
        return None
    except _TooDeepError as error:
        report.add("", error.line, MAX_DEPTH, f"nested deeper than {MAX_DEPTH}", "flatten it")
        return None
    if not isinstance(node, yaml.MappingNode):
        found = "the file is empty" if node is None else "the file is not a mapping"
        report.add("", None, None, found, "start from name, version, namespace_name and steps")
        return None
    table = _Builder(report).build(node, "")
    assert isinstance(table, Table)
    return table


class _TooDeepError(Exception):
    def __init__(self, line: int) -> None:
        super().__init__()
        self.line = line


def _compose(text: str) -> yaml.Node | None:
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise _TooDeepError(_line(event))
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
    return yaml.compose(text, Loader=_Loader)


def _report_syntax(error: yaml.YAMLError, text: str, report: Report) -> None:
    mark = getattr(error, "problem_mark", None)
    line = mark.line + 1 if mark is not None else None
    if isinstance(error, yaml.reader.ReaderError):
        line = text.count("\n", 0, error.position) + 1
    reason = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    # A file that ends too early is wrong on the line after its last.
    value = "".join(text.split("\n")[line - 1 : line]).strip() if line else ""
    cure = "correct the YAML here"
    if "another document" in reason:
        cure = "put each template into a file of its own"
    report.add("", line, value, f"malformed YAML: {reason}", cure)


def joined(place: str, key: str) -> str:
    """The place of a mapping's key: `steps[2]` and `retry` make `steps[2].retry`."""
    return f"{place}.{key}" if place else key


def _line(located: Any) -> int:
    return int(located.start_mark.line) + 1


class _Builder:
    """Turns the nodes of one file into values, each node once however often it is referred to."""

    def __init__(self, report: Report) -> None:
        # For its scalar constructors only.
        self._loader = _Loader("")
        self._report = report
        self._known: dict[yaml.Node, tuple[object, int]] = {}
        self._open: set[yaml.Node] = set()
        self._values = 0

    def build(self, node: yaml.Node, place: str) -> object:
        if isinstance(node, yaml.ScalarNode):
            self._values += 1
            return self._scalar(node, place)
        if node in self._known:
            value, size = self._known[node]
            return value if self._count(size, node, place) else None
        if node in self._open:
            self._report.add(
                place, _line(node), None, "an alias leads back to itself", "write the value out"
            )
            return None
        self._open.add(node)
        before = self._values
        value = self._collection(node, place)
        self._open.discard(node)
        self._known[node] = (value, self._values - before)
        return value

    def _count(self, size: int, node: yaml.Node, place: str) -> bool:
        if self._values > MAX_VALUES:
            return False
        self._values += size
        if self._values > MAX_VALUES:
            message = f"aliases stand for more than {MAX_VALUES} values"
            self._report.add(place, _line(node), self._values, message, "write less of it")
        return self._values <= MAX_VALUES

    def _collection(self, node: yaml.Node, place: str) -> object:
        self._values += 1
        if isinstance(node, yaml.SequenceNode):
            listing = Listing(_line(node))
            for index, item in enumerate(node.value):
                listing.put(self.build(item, f"{place}[{index}]"), _line(item))
            return listing
        return self._mapping(node, place)

    def _mapping(self, node: yaml.Node, place: str) -> Table:
        self._refuse_duplicates(node, place)
        table = Table(_line(node))
        merged: list[Table] = []
        for key_node, value_node in node.value:
            if key_node.tag == _MERGE:
                merged += self._merged(value_node, place)
            elif isinstance(key_node, yaml.ScalarNode):
                # As written, so that `on:` or `200:` is the key that the author sees.
                key = self._text(key_node.value, key_node, place)
                table.put(key, self.build(value_node, joined(place, key)), _line(key_node))
            else:
                message, cure = "a key is not a scalar", "use a plain text key"
                self._report.add(place, _line(key_node), None, message, cure)
        for source in merged:
            for key in source.keys() - table.keys():
                table.put(key, source[key], source.lines[key])
        return table

    def _merged(self, node: yaml.Node, place: str) -> list[Table]:
        """What `<<` brings in; the first of several to have a key gives its value."""
        value = self.build(node, joined(place, "<<"))
        sources = value if isinstance(value, Listing) else [value]
        tables = [source for source in sources if isinstance(source, Table)]
        if len(tables) < len(sources):
            message, cure = "'<<' merges mappings only", "name a mapping, or a list of them"
            self._report.add(joined(place, "<<"), _line(node), value, message, cure)
        return tables

    def _refuse_duplicates(self, node: yaml.Node, place: str) -> None:
        seen: dict[str, int] = {}
        for key_node, _ in node.value:
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag == _MERGE:
                continue
            key, line = key_node.value, _line(key_node)
            if key in seen:
                message = f"duplicate key '{key}', first on line {seen[key]}"
                self._report.add(joined(place, key), line, key, message, "keep one of them")
            seen.setdefault(key, line)

    def _scalar(self, node: yaml.ScalarNode, place: str) -> object:
        if node.tag in _TEXT_TAGS:
            return self._text(node.value, node, place)
        if node.tag not in _SCALAR_TAGS:
            message = f"the YAML tag {node.tag.removeprefix(_TAG)!r} is not allowed"
            self._report.add(place, _line(node), node.value, message, "write a plain value")
            return None
        try:
            value: object = self._loader.construct_object(node)
        except (ValueError, yaml.YAMLError) as error:
            self._report.add(place, _line(node), node.value, str(error), "quote it, or correct it")
            return None
        if isinstance(value, float) and not math.isfinite(value):
            message = f"{node.value} is not a number that JSON can carry"
            self._report.add(place, _line(node), node.value, message, "write a finite number")
            return None
        return value

    def _text(self, text: str, node: yaml.Node, place: str) -> str:
        if "\0" in text:
            message = "a NUL character, which PostgreSQL cannot store"
            self._report.add(place, _line(node), text, message, "remove it")
            return text.replace("\0", "")
        return text
