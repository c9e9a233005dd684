"""The comparison as Markdown."""

from typing import Any

from bench.report import environment_table, markdown_table

_COLUMNS = {
    "engine": "engine",
    "steps_per_second": "steps/s",
    "spread": "spread %",
    "times_slower": "tasker-mp is x times that",
    "p50_ms": "p50 ms",
    "p99_ms": "p99 ms",
    "times_later": "p50 is x times tasker-mp's",
    "tasks": "tasks",
    "durability": "durable by",
}
_EXPLAINED = """\
The same linear workflow of 4 steps for each, on one PostgreSQL server, one engine at a time on a
fresh database, in interleaved rounds; medians, and (max - min) / median as the spread. Throughput
runs from before the first submit until all tasks are seen to have ended; latency is of one task at
a time, from before its submit until its result is seen. Every result was checked."""


def section(document: dict[str, Any]) -> str:
    rows = [[_cell(row[key]) for key in _COLUMNS] for row in document["engines"]]
    lines = ["`python -m bench peers`:", "", *markdown_table(list(_COLUMNS.values()), rows)]
    lines += ["", _EXPLAINED, ""]
    lines += [f"- *{_name(row)}*: {row['settings']}." for row in document["engines"]]
    lines += [f"\nNot measured: {problem}" for problem in document["skipped"]]
    lines += [f"\nFailed: {problem}" for problem in document["problems"]]
    if document["interrupted"]:
        lines += ["", "Interrupted: these are the rounds until then."]
    return "\n".join(lines) + "\n"


def page(document: dict[str, Any]) -> str:
    environment = "\n".join(environment_table(document["environment"]))
    return f"# Peers\n\n{section(document)}\n{environment}\n"


def _name(row: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in row["versions"].items())
    return f"{row['engine']} ({versions})" if versions else str(row["engine"])


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:,.1f}" if isinstance(value, float) else str(value)
