"""Measurements as a table for people and a document for machines."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from rich.table import Table

COLUMNS = {
    "pattern": "pattern",
    "tasks": "tasks",
    "success_rate": "success %",
    "tasks_per_second": "tasks/s",
    "steps_per_second": "steps/s",
    "spread": "spread %",
    "p50_ms": "p50 ms",
    "p95_ms": "p95 ms",
    "p99_ms": "p99 ms",
}


def encode(document: dict[str, Any]) -> str:
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode()


def table(measured: list[dict[str, Any]]) -> Table:
    """One row a pattern; latencies are submit → complete of one task at a time."""
    shown = Table(title="workflow patterns")
    for heading in COLUMNS.values():
        shown.add_column(heading, justify="left" if heading == "pattern" else "right")
    for row in measured:
        shown.add_row(*(_cell(row[key]) for key in COLUMNS))
    return shown


def save(folder: Path, name: str, document: dict[str, Any], page: str) -> Path:
    """Write `<date>-<name>.json` and the Markdown page beside it; the page's path."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = folder / f"{datetime.now(UTC):%Y-%m-%d}-{name}"
    stem.with_suffix(".json").write_text(encode(document) + "\n")
    target = stem.with_suffix(".md")
    target.write_text(page)
    return target


def patterns_page(document: dict[str, Any]) -> str:
    rows = [[_cell(row[key]) for key in COLUMNS] for row in document["patterns"]]
    lines = ["# Workflow patterns", "", "Command: `python -m bench run`", ""]
    lines += markdown_table(list(COLUMNS.values()), rows)
    lines += ["", *environment_table(document["environment"])]
    return "\n".join(lines) + "\n"


def markdown_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Its lines."""
    lines = ["| " + " | ".join(headings) + " |", "|---" * len(headings) + "|"]
    return lines + ["| " + " | ".join(row) + " |" for row in rows]


def environment_table(environment: dict[str, Any]) -> list[str]:
    flat = dict(environment)
    flat |= {f"postgresql {name}": value for name, value in flat.pop("database").items()}
    return markdown_table(["environment", ""], ([k, str(v)] for k, v in flat.items()))


def _cell(value: Any) -> str:
    return f"{value:,.1f}" if isinstance(value, float) else str(value)
