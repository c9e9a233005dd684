"""Draws frames on a terminal: only the lines that changed, and in one write."""

from rich.color import ColorSystem
from rich.console import Console
from rich.style import Style

from tasker_mp.cli.top.frame import Frame
from tasker_mp.cli.top.line import Line

_CLEAR = "\x1b[0m\x1b[2J"
# Terminals that know this show all of a frame at once, others pass it over.
_BEGIN, _END = "\x1b[?2026h", "\x1b[?2026l"

_SYSTEMS = {
    "standard": ColorSystem.STANDARD,
    "256": ColorSystem.EIGHT_BIT,
    "truecolor": ColorSystem.TRUECOLOR,
    "windows": ColorSystem.WINDOWS,
}


class Painter:
    """For a console's colours, or none of them, and its encoding."""

    def __init__(self, console: Console) -> None:
        self._system = _SYSTEMS.get(console.color_system or "", ColorSystem.STANDARD)
        self._colourless = console.no_color
        self._encoding = console.encoding
        self._unicode = is_unicode(console.encoding)
        self._drawn: list[str] = []
        self._styles: dict[Style, Style] = {}

    def forget(self) -> None:
        """The screen holds nothing any more of what was drawn."""
        self._drawn = []

    def paint(self, frame: Frame) -> bytes:
        """What to write so that the terminal shows the frame; nothing where it does already."""
        shown = frame if self._unicode else frame.ascii()
        lines = [self._line(line) for line in shown.lines]
        anew = len(lines) != len(self._drawn)
        changed = [
            f"\x1b[{number};1H{line}"
            for number, line in enumerate(lines, 1)
            if anew or line != self._drawn[number - 1]
        ]
        self._drawn = lines
        if not changed:
            return b""
        text = "".join([_BEGIN, *([_CLEAR] if anew else []), *changed, _END])
        return text.encode(self._encoding, "replace")

    def _line(self, line: Line) -> str:
        parts = []
        for text, style, _ in line:
            parts.append(self._style(style).render(text, color_system=self._system))
        return "".join(parts)

    def _style(self, style: Style | None) -> Style:
        if style is None:
            return Style.null()
        if not self._colourless:
            return style
        if style not in self._styles:
            self._styles[style] = style.without_color
        return self._styles[style]


def is_unicode(encoding: str) -> bool:
    return encoding.lower().replace("-", "").startswith("utf")
