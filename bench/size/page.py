"""The measurements as Markdown."""

from typing import Any

from bench.report import environment_table, markdown_table

_NONE = "-"
_HEADINGS = ("size", "load", "fresh", "loaded", "ratio", "goal", "met")


def section(document: dict[str, Any]) -> str:
    """The table, what else is known, and what could not be measured."""
    lines = markdown_table(_HEADINGS, [_cells(row) for row in document["rows"]])
    for row in document["rows"]:
        lines += [f"\n- {row['load']}: {name}: {value}" for name, value in row["notes"].items()]
    lines += [f"\nNot measured: {problem}" for problem in document["problems"]]
    if document["interrupted"]:
        lines += ["", "Interrupted: this is what there was until then."]
    return "\n".join(lines) + "\n"


def page(document: dict[str, Any]) -> str:
    environment = "\n".join(environment_table(document["environment"]))
    return (
        "# Flat in the work\n\nCommand: `python -m bench size`. Medians of rounds, in turn on a"
        f" fresh database and on a loaded one.\n\n{section(document)}\n{environment}\n"
    )


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    unit, met = row["unit"], row["met"]
    return (
        row["measurement"],
        row["load"],
        _NONE if row["fresh"] is None else f"{row['fresh']:,.0f} {unit}",
        f"{row['loaded']:,.0f} {unit}",
        _NONE if row["ratio"] is None else f"{row['ratio']:.2f}",
        _NONE if row["goal"] is None else f"≥ {row['goal']:g}",
        _NONE if met is None else "yes" if met else "no",
    )
