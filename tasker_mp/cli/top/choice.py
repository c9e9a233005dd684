"""What the operator chose to look at, and is asked: changed by keys, shown by every frame."""

import textwrap
from dataclasses import dataclass, field, replace
from typing import Final

from tasker_mp.cli.top.intent import Intent
from tasker_mp.cli.top.line import printable

VIEWS: Final = (
    "overview", "pipeline", "workers", "namespaces", "failures", "quarantined", "events", "tables",
)  # fmt: skip


_AROUND_PAGE = 8
"""Lines of a frame that may not be the page's."""


@dataclass(frozen=True)
class Question:
    """Asked in the last line; only `y` does it."""

    text: str
    intent: Intent


@dataclass(frozen=True)
class Page:
    """A text over the whole view, until Esc; `line` is the first one shown."""

    title: str
    lines: tuple[str, ...]
    line: int = 0

    def folded(self, width: int) -> list[str]:
        """Its lines, the long ones continued below themselves; their indentation stays."""
        return [part for line in self.lines for part in _folded(line, max(width - 1, 12))]

    def turned(self, by: int, width: int, height: int) -> "Page":
        """Scrolled on a frame of that size, no farther than that its end is seen."""
        last = max(len(self.folded(width)) - max(height - _AROUND_PAGE, 1), 0)
        return replace(self, line=min(max(self.line + by, 0), last))


@dataclass
class Choice:
    """`worker` and `failure` are the chosen rows' keys, None until one is chosen."""

    view: str = "overview"
    filter: str = ""
    typing: str | None = None
    """The filter while it is typed."""
    worker: int | None = None
    failure: tuple[float, str] | None = None
    question: Question | None = None
    page: Page | None = None
    notice: str = ""
    bad_notice: bool = field(default=False)

    def tell(self, notice: str, *, bad: bool = False) -> None:
        self.notice, self.bad_notice = notice, bad

    def matches(self, *texts: str | None) -> bool:
        """Whether the filter lets a row with these texts through."""
        wanted = (self.filter if self.typing is None else self.typing).casefold()
        return not wanted or any(wanted in text.casefold() for text in texts if text)


def _folded(line: str, width: int) -> list[str]:
    text = printable(line).strip()
    indent = " " * (1 + min(len(line) - len(line.lstrip(" ")), width // 3))
    wrapped = textwrap.wrap(text, width, initial_indent=indent, subsequent_indent=f"{indent}    ")
    return wrapped or [""]
