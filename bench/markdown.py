"""Tables in Markdown."""

from collections.abc import Iterable, Sequence
from typing import Any


def markdown_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Its lines. A bar in a cell is no end of it."""
    lines = [_line(headings), "|---" * len(headings) + "|"]
    return lines + [_line(row) for row in rows]


def environment_table(environment: dict[str, Any]) -> list[str]:
    return markdown_table(["environment", ""], environment_rows(environment))


def environment_rows(environment: dict[str, Any]) -> list[tuple[str, str]]:
    """Name and value, the database's settings last."""
    flat = dict(environment)
    database = flat.pop("database", {})
    flat |= {f"postgresql {name}": value for name, value in database.items()}
    return [(name, str(value)) for name, value in flat.items()]


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
