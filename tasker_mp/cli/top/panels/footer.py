"""The last line: what is asked, what happened last, or what the keys do."""

from tasker_mp.cli.top.choice import VIEWS, Choice
from tasker_mp.cli.top.line import Line, cut, fit, length, printable, span
from tasker_mp.cli.top.scene import Scene
from tasker_mp.cli.top.styles import ASK, BAD, BOLD, DIM, GOOD, KEY, WARN

# In the order in which they are shown, each with how important it is.
_KEYS = (
    ("1-8", "views", 80),
    ("↑↓", "choose", 50),
    ("/", "filter", 70),
    ("p", "pause", 75),
    ("d", "drain", 60),
    ("k", "kill", 65),
    ("s", "stack", 64),
    ("R", "retry", 55),
    ("c", "cancel", 54),
    ("?", "help", 90),
    ("q", "quit", 100),
)


def footer(scene: Scene, width: int) -> Line:
    choice = scene.choice
    if choice.question is not None:
        return fit([span(f" {cut(choice.question.text, width - 9)} [y/N] ", ASK)], width)
    if choice.typing is not None:
        return fit([span("filter: ", BOLD), span(cut(choice.typing, width - 9)), span("█")], width)
    if choice.notice:
        style = BAD if choice.bad_notice else GOOD
        return fit([span(cut(printable(choice.notice), width), style)], width)
    if choice.page is not None:
        return fit([span("↑↓ scroll, Esc back", DIM)], width)
    return fit(_keys(scene, width), width)


def _keys(scene: Scene, width: int) -> Line:
    where = _where(scene.choice)
    paused = scene.state == "paused"
    left = width - length(where)
    shown = set()
    for key, name, _ in sorted(_KEYS, key=lambda entry: -entry[2]):
        needed = len(key) + len(name) + 3
        if needed <= left:
            shown.add(key)
            left -= needed
    line = [*where]
    for key, name, _ in _KEYS:
        if key in shown:
            said = "resume" if key == "p" and paused and left > 0 else name
            line += [span(" "), span(key, KEY), span(f" {said}", DIM)]
    return line


def _where(choice: Choice) -> Line:
    where: Line = [span(f"{VIEWS.index(choice.view) + 1} {choice.view}", BOLD)]
    if choice.filter:
        where.append(span(f" /{cut(choice.filter, 12)}", WARN))
    where.append(span(" "))
    return where
