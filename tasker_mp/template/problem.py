"""What is wrong, or out of date, in a template's file: the place, the value and the cure."""

from typing import Final

import msgspec
from msgspec import Struct

from tasker_mp.nearest import suggestion

_SHOWN: Final = 80
_SUGGESTIONS: Final = 50


class Problem(Struct, frozen=True):
    """One mistake. `line` counts from 1 and is None where the file as a whole is meant; `place` is
    a path such as `steps[2].dependencies[0]`; `value` is what was found, as JSON."""

    file: str
    line: int | None
    place: str
    value: str
    message: str
    cure: str

    def __str__(self) -> str:
        where = self.file if self.line is None else f"{self.file}:{self.line}"
        place = f" {self.place}:" if self.place else ""
        return _printable(f"{where}:{place} {self.message}; {self.cure}")


class DeprecationNotice(Struct, frozen=True):
    """An older spelling that still loads, and today's."""

    file: str
    line: int
    place: str
    old: str
    new: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}: {self.place}"
        return _printable(f"{where}: {self.old} is deprecated; write {self.new}")


def _printable(text: str) -> str:
    """One line that no character of a file can break or colour in a terminal."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def shown(value: object) -> str:
    """The value as one line of JSON, cut at 80 characters."""
    try:
        text = msgspec.json.encode(value).decode()
    except (TypeError, ValueError, RecursionError):
        text = ascii(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


class Report:
    """Collects what is wrong with one file, so that a single run shows all of it."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []
        self.warnings: list[DeprecationNotice] = []
        self._suggestions_left = _SUGGESTIONS

    def add(self, place: str, line: int | None, value: object, message: str, cure: str) -> None:
        self.problems.append(Problem(self.file, line, place, shown(value), message, cure))

    def deprecated(self, place: str, line: int, old: str, new: str) -> None:
        self.warnings.append(DeprecationNotice(self.file, line, place, old, new))

    def suggest(self, name: str, known: list[str]) -> str:
        """The nearest name, for the first 50 unknown ones of the file: thousands would take hours
        in a template of thousands of steps, and mostly share one cause."""
        if not self._suggestions_left:
            return f"name one of the {len(known)} that are there"
        self._suggestions_left -= 1
        return suggestion(name, known)
