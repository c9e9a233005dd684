"""Turns the bytes that a terminal sends into the names of keys."""

import codecs
import re
from typing import Final

ESCAPE: Final = "esc"

_SEQUENCES = {
    "A": "up", "B": "down", "C": "right", "D": "left", "H": "home", "F": "end",
    "1~": "home", "4~": "end", "5~": "page up", "6~": "page down", "7~": "home", "8~": "end",
}  # fmt: skip
_CONTROLS = {"\r": "enter", "\n": "enter", "\x7f": "backspace", "\x08": "backspace", "\t": "tab"}

# ECMA-48: parameters, intermediates, one final character; SS3 is what some send for arrows.
_WHOLE = re.compile(r"\x1b(?:\[([0-?]*[ -/]*[@-~])|O([@-~])|([^\[O\x1b]))")
_BEGUN = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|O)?$")


class Keyboard:
    """Bytes in, keys out: a printable character as itself, others by name, unknown ones dropped."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._text = ""

    @property
    def unfinished(self) -> bool:
        """Whether more is needed to tell Esc from the beginning of a sequence."""
        return bool(self._text)

    def feed(self, sent: bytes) -> list[str]:
        self._text += self._decoder.decode(sent)
        keys: list[str] = []
        while self._text and not _BEGUN.fullmatch(self._text):
            key, self._text = _next(self._text)
            if key:
                keys.append(key)
        return keys

    def flush(self) -> list[str]:
        """Nothing followed: what has begun was Esc alone, or rubbish."""
        alone, self._text = self._text == "\x1b", ""
        return [ESCAPE] if alone else []


def _next(text: str) -> tuple[str | None, str]:
    """The first key, None where it has no name here, and what follows it."""
    if text[0] != "\x1b":
        return _character(text[0]), text[1:]
    found = _WHOLE.match(text)
    if found is None:
        return ESCAPE, text[1:]
    sequence = found[1] or found[2]
    return _SEQUENCES.get(sequence) if sequence else None, text[found.end() :]


def _character(char: str) -> str | None:
    if char in _CONTROLS:
        return _CONTROLS[char]
    return char if char.isprintable() and char != "\ufffd" else None
