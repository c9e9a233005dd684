"""Draws the state diagrams of docs/design.md from the table of transitions in tasker_mp/states.py.

python tools/draw_states.py           rewrite the diagrams in place
python tools/draw_states.py --check   exit 1 where they are not what the table says
"""

import re
import sys
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

from tasker_mp.states import STEP_TRANSITIONS, TASK_TRANSITIONS

PAGE = Path(__file__).parent.parent / "docs" / "design.md"


def diagram(transitions: Mapping[StrEnum, frozenset[StrEnum]]) -> str:
    """A Mermaid state diagram; a state without a way out is final."""
    lines = ["stateDiagram-v2", "    [*] --> pending"]
    for state, following in transitions.items():
        lines += [f"    {state} --> {name}" for name in sorted(following)]
        if not following:
            lines.append(f"    {state} --> [*]")
    return "\n".join(lines)


def drawn(page: str) -> str:
    """The page with its two diagrams as the tables have them."""
    for name, transitions in (("step", STEP_TRANSITIONS), ("task", TASK_TRANSITIONS)):
        block = f"<!-- {name} states -->\n```mermaid\n{diagram(transitions)}\n```"
        page = re.sub(rf"<!-- {name} states -->\n```mermaid\n.*?```", block, page, flags=re.S)
    return page


def main() -> None:
    page = PAGE.read_text()
    if "--check" not in sys.argv:
        PAGE.write_text(drawn(page))
    elif drawn(page) != page:
        sys.exit(f"{PAGE}: the state diagrams are stale; run: python tools/draw_states.py")


if __name__ == "__main__":
    main()
