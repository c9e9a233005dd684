"""The measurements as Markdown: the table that goes to docs/reliability.md, and the saved page."""

from typing import Any

from bench.report import environment_table, markdown_table

_HEADINGS = ("figure", "goal", "measured", "met", "samples", "measurement")


def section(document: dict[str, Any]) -> str:
    """What `docs/reliability.md` shows."""
    rows = [
        (
            str(row["figure"]),
            str(row["goal"]),
            str(row["measured"]),
            "yes" if row["met"] else "no",
            str(row["count"]),
            f"`--only {row['measurement']}`",
        )
        for row in document["figures"]
    ]
    lines = ["`python -m bench reliability`:", "", *markdown_table(_HEADINGS, rows), ""]
    lines += [f"- *{row['figure']}*: {row['definition']}" for row in document["figures"]]
    lines += ["", f"Measured on {_machine(document['environment'])}."]
    lines += [f"\nNot measured: {problem}" for problem in document["problems"]]
    if document["interrupted"]:
        lines += ["", "Interrupted: these are the samples until then."]
    return "\n".join(lines) + "\n"


def page(document: dict[str, Any]) -> str:
    environment = "\n".join(environment_table(document["environment"]))
    return f"# Reliability\n\n{section(document)}\n{environment}\n"


def _machine(environment: dict[str, Any]) -> str:
    database = environment["database"]
    durable = ", ".join(f"{k} {database[k]}" for k in ("fsync", "synchronous_commit"))
    return (
        f"{environment['cpu']}, {environment['cores']} cores, Linux {environment['kernel']}, Python"
        f" {environment['python']}, PostgreSQL {database['server_version']} ({durable}),"
        f" {environment['workers']} workers; load average {environment['load']} beforehand"
    )
