"""A flow's figures: throughput, latency, success, cost; and the tables that show them."""

from collections.abc import Mapping, Sequence
from statistics import median

from bench.document import Document, Row, Table
from bench.flow import Flow
from bench.patterns import PATTERNS, Pattern
from bench.samples import percentile
from bench.usage import GROUPS

CROWD = 1000
"""Tasks in flight from which on the goals of throughput hold."""
_LINEAR_GOAL = 20_000.0
_SHARE_GOAL = 0.8
_ALONE_GOALS = {50: 3.0, 99: 10.0}
_PERCENTS = (50, 90, 99)
_LATENCIES = [f"p{percent} ms" for percent in _PERCENTS]


def place(pattern: str, level: int) -> str:
    """What a series of this pattern at this level is named by."""
    return f"{pattern} @{level}"


def record_flow(document: Document, pattern: Pattern, level: int, flow: Flow) -> None:
    """A round's figures."""
    at = place(pattern.name, level)
    goal = _LINEAR_GOAL if pattern.name == "linear" and level >= CROWD else None
    document.record(
        f"throughput {at}",
        flow.usage.rate,
        "steps/s",
        "higher",
        goal=goal,
        note="One task after the other."
        if level == 1
        else f"{level:,} tasks in flight all the time; submitting them is part of the work.",
        group=f"throughput @{level}",
    )
    _record_latencies(document, pattern, level, flow)
    success = 100 * (1 - flow.failed / len(flow.latencies))
    document.record(f"success {at}", success, "%", "higher", group="success")
    _record_costs(document, pattern, level, flow)


def _record_latencies(document: Document, pattern: Pattern, level: int, flow: Flow) -> None:
    alone = (pattern.name, level) == ("linear", 1)
    for percent in _PERCENTS:
        document.record(
            f"p{percent} {place(pattern.name, level)}",
            percentile(flow.latencies, percent),
            "ms",
            "lower",
            goal=_ALONE_GOALS.get(percent) if alone else None,
            note="From before a task's submit until its end is seen; each round's percentile.",
            group=f"latency @{level}",
        )


def _record_costs(document: Document, pattern: Pattern, level: int, flow: Flow) -> None:
    at = place(pattern.name, level)
    for group in GROUPS:
        spent = flow.usage.cpu_us(group)
        if spent is not None:
            document.record(
                f"CPU of {group} {at}",
                spent,
                "µs/step",
                "lower",
                note="Processor time a step; the client submits, and looks for ends.",
                group=f"CPU @{level}",
            )
    document.record(
        f"WAL {at}",
        flow.usage.wal_bytes / flow.usage.steps,
        "bytes/step",
        "lower",
        group=f"WAL @{level}",
    )


def record_shares(document: Document, level: int, rates: Mapping[str, float]) -> None:
    """Each pattern against linear, in the same round."""
    if level < CROWD or "linear" not in rates:
        return
    for name in (other for other in rates if other != "linear"):
        document.record(
            f"{name} / linear @{level}",
            rates[name] / rates["linear"],
            "times",
            "higher",
            goal=_SHARE_GOAL,
            note="Steps a second against linear's in the same round.",
            group=f"against linear @{level}",
        )


def flow_tables(document: Document, levels: Sequence[int]) -> list[Table]:
    """A row a pattern and level that was measured."""
    series = {known.name: known.samples for known in document.measured()}
    work = Table(
        "Workflow patterns",
        ["pattern", "in flight", "steps/s", "spread %", "tasks/s", *_LATENCIES, "success %"],
        note="Medians of the rounds; spread: (max - min) / median of the throughput.",
    )
    cost = Table(
        "Cost",
        ["pattern", "in flight", *(f"{group} µs" for group in GROUPS), "WAL bytes"],
        note="A step: processor time by group of processes, and bytes of the write-ahead log.",
    )
    for pattern in PATTERNS.values():
        for level in levels:
            if f"throughput {place(pattern.name, level)}" in series:
                work.rows.append(_work_row(series, pattern, level))
                cost.rows.append(_cost_row(series, pattern, level))
    return [table for table in (work, cost) if table.rows]


def _work_row(samples: Mapping[str, Sequence[float]], pattern: Pattern, level: int) -> Row:
    at = place(pattern.name, level)
    rates = samples[f"throughput {at}"]
    middle = median(rates)
    spread = 100 * (max(rates) - min(rates)) / middle
    rest = [*(f"p{percent} {at}" for percent in _PERCENTS), f"success {at}"]
    row: Row = [pattern.name, level, middle, spread, middle / pattern.steps]
    return row + [median(samples[name]) for name in rest]


def _cost_row(samples: Mapping[str, Sequence[float]], pattern: Pattern, level: int) -> Row:
    at = place(pattern.name, level)
    row: Row = [pattern.name, level]
    for name in [*(f"CPU of {group} {at}" for group in GROUPS), f"WAL {at}"]:
        row.append(median(samples[name]) if name in samples else None)
    return row
