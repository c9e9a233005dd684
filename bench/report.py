"""Measurements as a table for people and a document for machines."""

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


def save(folder: Path, document: dict[str, Any]) -> Path:
    """Write `<date>-run.json` and a Markdown page beside it; the page's path."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = folder / f"{datetime.now(UTC):%Y-%m-%d}-run"
    stem.with_suffix(".json").write_text(encode(document) + "\n")
    page = stem.with_suffix(".md")
    page.write_text(_markdown(document))
    return page


def _markdown(document: dict[str, Any]) -> str:
    lines = ["# Workflow patterns", "", "Command: `python -m bench run`", ""]
    lines += ["| " + " | ".join(COLUMNS.values()) + " |", "|---" * len(COLUMNS) + "|"]
    for row in document["patterns"]:
        lines.append("| " + " | ".join(_cell(row[key]) for key in COLUMNS) + " |")
    lines += ["", "| environment | |", "|---|---|"]
    flat = dict(document["environment"])
    flat |= {f"postgresql {name}": value for name, value in flat.pop("database").items()}
    lines += [f"| {name} | {value} |" for name, value in flat.items()]
    return "\n".join(lines) + "\n"


def _cell(value: Any) -> str:
    return f"{value:,.1f}" if isinstance(value, float) else str(value)
