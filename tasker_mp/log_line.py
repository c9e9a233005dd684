"""A line of the log as bytes: for people, or as JSON; no longer than a pipe takes as a whole."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

LINE_BYTES: Final = 4096
"""PIPE_BUF: what several processes write to one pipe stays whole up to here."""

SEVERITIES: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}
LEVELS: Final = tuple(SEVERITIES)

Renderer = Callable[[float, str, str, Mapping[str, Any]], bytes]
"""Of seconds since the epoch, level, event, and further fields."""

_COLOURS = {
    "debug": "\x1b[2m",
    "info": "\x1b[32m",
    "warning": "\x1b[33m",
    "error": "\x1b[31m",
    "critical": "\x1b[1;31m",
}
_PLAIN = "\x1b[0m"
_BLOCKS: Final = ("exception", "stack")
"""Fields of many lines: below the others for people."""


def renderer(form: str, *, colours: bool = False) -> Renderer:
    """That of the configured format, `json` or `console`."""
    if form == "json":
        return json_line
    return coloured_line if colours else console_line


def dropped_line(render: Renderer, at: float, count: int) -> bytes:
    """Says how many lines were dropped before it."""
    return render(at, "warning", "lines of the log dropped: nobody read them", {"lines": count})


def json_line(at: float, level: str, event: str, fields: Mapping[str, Any]) -> bytes:
    document = {"timestamp": _iso(at), "level": level, "event": event, **fields}
    limit = LINE_BYTES
    while True:
        try:
            encoded = msgspec.json.encode(document, enc_hook=str)
        except Exception:  # a key or a value that JSON has no word for
            encoded = msgspec.json.encode({_text(key): _text(v) for key, v in document.items()})
        if len(encoded) < LINE_BYTES:
            return encoded + b"\n"
        limit //= 2
        document = {key: _shortened(value, limit) for key, value in document.items()}
        if limit < 32:
            least = {"timestamp": _iso(at), "level": level, "event": _shortened(event, limit)}
            return msgspec.json.encode(least) + b"\n"


def console_line(at: float, level: str, event: str, fields: Mapping[str, Any]) -> bytes:
    return _console(at, level, event, fields, "", "")


def coloured_line(at: float, level: str, event: str, fields: Mapping[str, Any]) -> bytes:
    return _console(at, level, event, fields, _COLOURS.get(level, ""), _PLAIN)


def _console(
    at: float, level: str, event: str, fields: Mapping[str, Any], colour: str, plain: str
) -> bytes:
    told = [f"{name}={_quoted(fields[name])}" for name in fields if name not in _BLOCKS]
    line = f"{_iso(at)} {colour}{level:<8}{plain} {_printable(event)}"
    line = "  ".join(filter(None, (line, " ".join(told))))
    blocks = [_printable(str(fields[name])) for name in _BLOCKS if fields.get(name)]
    encoded = "\n".join([line, *blocks]).encode(errors="backslashreplace")
    return _cut(encoded) + b"\n"


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def _quoted(value: object) -> str:
    text = _text(value)
    if text and not set(text) & set(' "=') and text.isprintable():
        return text
    return msgspec.json.encode(text).decode()


def _text(value: object) -> str:
    try:
        text = value if isinstance(value, str) else str(value)
    except Exception as error:  # somebody's __str__
        return f"<{type(value).__name__}: {type(error).__name__}>"
    return text.encode(errors="backslashreplace").decode()


def _printable(text: str) -> str:
    """Nothing that moves a terminal's cursor or colours it; ends of lines and tabs stay."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in "\n\t" else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()


def _shortened(value: object, limit: int) -> object:
    text = value if isinstance(value, str) else None
    if text is None:
        if isinstance(value, (int, float, bool)) or value is None:
            return value
        text = _text(value)
        if len(text) <= limit:
            return value
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]} … {len(text) - 2 * half} left out … {text[-half:]}"


def _cut(encoded: bytes) -> bytes:
    """The beginning and the end: of a traceback the latter tells most."""
    if len(encoded) < LINE_BYTES:
        return encoded
    half = LINE_BYTES // 2 - 40
    left_out = f" … {len(encoded) - 2 * half} bytes left out … ".encode()
    head, tail = encoded[:half], encoded[-half:]
    return head.decode(errors="ignore").encode() + left_out + tail.decode(errors="ignore").encode()
